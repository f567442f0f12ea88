# SPDX-License-Identifier: Apache-2.0
"""Pedestrians whose distance is known exactly, and whether anything at the RSU tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import MIN_REGION, MIN_VISIBLE
from semcom_ros.lab.metrics.overlap import found_again, found_covered
from semcom_ros.objects import Box2D
from semcom_ros.perception.detection import THRESHOLD, Detection, find_regions

NAME = "person"
BANDS = ((0, 20), (20, 40), (40, 60), (60, 100))
"""Metres along the optical axis, from the first to less than the last."""


class Pedestrian(NamedTuple):
    """distance: metres along the optical axis to the middle of the body."""

    distance: float
    found: bool


def look_for_pedestrians(
    frame: Frame, boxes: Sequence[Box2D], covering: bool = False
) -> list[Pedestrian]:
    """Those of `frame`, whose objects are known, of whom at least `MIN_VISIBLE` shows.

    However small they are: who is far away is missed, not left out. boxes: of persons, the surest
    first. Each box finds one pedestrian (`found_again`); those too hidden to count can be found as
    well, so that nobody else gets their box. covering: a box finds all whom it covers by half
    (`found_covered`), since persons who touch are one region of a map.
    """
    people = [o for o in frame.objects if o.name == NAME]
    if not people:
        return []
    truth = [o.box for o in people]
    found = found_covered(truth, boxes) if covering else found_again(truth, boxes)
    return [
        Pedestrian(float(o.box_3d.centre[2]), f)
        for o, f in zip(people, found, strict=True)
        if o.visible >= MIN_VISIBLE
    ]


def miss_rate(people: Sequence[Pedestrian], near: float, far: float) -> float | None:
    """Share missed of those `near` to less than `far` metres away; None where nobody is."""
    found = [p.found for p in people if near <= p.distance < far]
    return found.count(False) / len(found) if found else None


def sure(detections: Sequence[Detection]) -> list[Box2D]:
    """Boxes of the persons detected with at least `THRESHOLD`, the surest first."""
    people = [d for d in detections if d.name == NAME and d.score >= THRESHOLD]
    return [d.box for d in sorted(people, key=lambda d: -d.score)]


def in_map(labels: np.ndarray) -> list[Box2D]:
    """Boxes of the regions of persons in a map, uint8 [H, W] trainId, of at least `MIN_REGION`."""
    regions = find_regions(labels, min_area=MIN_REGION)
    return [region.box for region in regions if region.name == NAME]
