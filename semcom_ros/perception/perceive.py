# SPDX-License-Identifier: Apache-2.0
"""All that the shipped networks see in an image, with one pass of the encoder that they share."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcom_ros.perception.depth import read_depth
from semcom_ros.perception.detection import THRESHOLD, Detection, read_boxes


class Seen(NamedTuple):
    """What is seen in one image.

    segmentation: uint8 [H, W] trainId. detections: by falling score. depth: float32 [H, W] metres
    along the optical axis, NaN in the sky.
    """

    segmentation: np.ndarray
    detections: list[Detection]
    depth: np.ndarray


class Perception:
    """Image uint8 [256, 512, 3] RGB -> `Seen`: segmenter, detector and depth for one encoder pass.

    Each part is what `Segmenter`, `Detector` and `DepthEstimator` say alone.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu", threshold: float = THRESHOLD):
        from semcom_ros.perception.heads import HeadsPass

        self.threshold = threshold
        self._heads = HeadsPass(path, device)

    @property
    def names(self) -> list[str]:
        """The classes that it detects."""
        return self._heads.names

    def __call__(self, image: np.ndarray, focal: float | None = None) -> Seen:
        """focal: focal length of the camera in pixels of `image`, by default that of training."""
        import torch

        heads = self._heads
        with torch.inference_mode():
            pyramid, outputs = heads(image)
            return Seen(
                heads.segmenter.read(pyramid, image.shape[:2]),
                read_boxes(outputs, heads.names, self.threshold),
                read_depth(outputs, (focal or heads.focal) / heads.focal),
            )
