# SPDX-License-Identifier: Apache-2.0
"""What the RSU knows of one frame of one vehicle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_ros.payload import PayloadError
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.projection import Detection3D
from semcom_ros.reconstruction import Reconstruction

FIELDS = ("labels", "image", "detections", "detections_3d", "depth", "points")
"""What can be wanted of it."""


@dataclass(frozen=True)
class Percepts(Reconstruction):
    """A reconstruction and what is seen in it; a part that is not known, or not wanted, is None.

    detections: in 2D, by falling score. detections_3d: those whose distance is known. depth:
    float32 [H, W] metres along the optical axis, NaN unknown. points: float32 [H, W, 3] metres in
    the optical frame. map_received: False where the labels were read off a received image.
    unplaced: detections whose distance is not known. error: why the payload is rejected after all.
    failures: what went wrong on the way to a part that is left out. remarks: sentences about what
    was wanted and cannot be given.
    """

    detections: list[Detection] | None = None
    detections_3d: list[Detection3D] | None = None
    depth: np.ndarray | None = None
    points: np.ndarray | None = None
    map_received: bool = False
    unplaced: int = 0
    error: PayloadError | None = None
    failures: tuple[Exception, ...] = ()
    remarks: tuple[str, ...] = ()
