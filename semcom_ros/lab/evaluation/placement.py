# SPDX-License-Identifier: Apache-2.0
"""How far off detections are in space, and whether their published covariance says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import MIN_VISIBLE
from semcom_ros.lab.metrics.overlap import OVERLAP, edges, overlaps
from semcom_ros.objects import Object
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.projection import project_detections

WITHIN = 7.815
"""Squared deviations of three normal variables that 95 % of the draws stay within."""


class Placement(NamedTuple):
    """objects: how many were found and placed. distance: root mean square and typical: median
    error of their distance, as a part of it. covered: share whose true position lies in the
    ellipsoid that holds 95 % by the published covariance. NaN for no objects.
    """

    objects: int
    distance: float
    typical: float
    covered: float


class PlacementScores:
    """Errors of the positions of objects over frames whose objects are known in space."""

    def __init__(self) -> None:
        self._errors: list[tuple[float, bool]] = []

    def add(
        self, frame: Frame, objects: Sequence[Detection], depth: np.ndarray, labels: np.ndarray
    ) -> None:
        """Count those of the `objects` published of one frame that show one of their class.

        frame: with objects and camera. depth: float32 [H, W] metres, NaN unknown; without any that
        is known nothing is placed. labels: uint8 [H, W] trainId that the objects rest on.
        """
        if not np.isfinite(depth).any():
            return
        for found in objects:
            true = _shown(found, frame)
            if true is None:
                continue
            centre = np.array(true.box_3d.centre)
            for placed in project_detections([found], depth, frame.camera, labels):
                error = np.array(placed.position) - centre
                deviations = error @ np.linalg.solve(placed.covariance, error)
                self._errors.append((abs(error[2]) / centre[2], deviations <= WITHIN))

    def compute(self) -> Placement:
        """The errors so far."""
        if not self._errors:
            return Placement(0, *(np.nan,) * 3)
        distance, inside = np.array(self._errors).T
        errors = (np.mean(distance**2) ** 0.5, np.median(distance), np.mean(inside))
        return Placement(len(distance), *map(float, errors))


def _shown(detection: Detection, frame: Frame) -> Object | None:
    """The object of the detection's class that it overlaps most, if by `OVERLAP`."""
    things = [o for o in frame.objects if o.name == detection.name and o.visible >= MIN_VISIBLE]
    if not things:
        return None
    box = (detection.left, detection.top, detection.width, detection.height)
    overlap = overlaps(edges([box])[0], edges([o.box for o in things]))
    return things[overlap.argmax()] if overlap.max() >= OVERLAP else None
