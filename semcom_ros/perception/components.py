# SPDX-License-Identifier: Apache-2.0
"""Objects in a label map: the connected regions of the classes that can be counted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from semcom_ros.labels import CLASSES


@dataclass(frozen=True)
class Component:
    """One region in pixels of the map. score: mean confidence of its pixels, 0 to 1."""

    name: str
    score: float
    left: int
    top: int
    width: int
    height: int
    area: int


def find_components(
    labels: np.ndarray, confidence: np.ndarray, min_area: int = 1
) -> list[Component]:
    """Regions of at least `min_area` pixels, largest first.

    labels: uint8 [H, W] trainId. confidence: uint8 [H, W], 0 invented to 255 certain. Neighbours
    by a side or a corner belong together; objects of one class that touch are one region.
    """
    found = []
    for train_id in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)):
        if train_id >= len(CLASSES) or not CLASSES[train_id].thing:
            continue
        mask = (labels == train_id).view(np.uint8)
        count, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        sums = np.bincount(regions.ravel(), confidence.ravel(), count)
        for i in range(1, count):
            left, top, width, height, area = (int(v) for v in stats[i])
            if area >= min_area:
                score = sums[i] / area / 255
                box = (left, top, width, height, area)
                found.append(Component(CLASSES[train_id].name, float(score), *box))
    return sorted(found, key=lambda c: -c.area)
