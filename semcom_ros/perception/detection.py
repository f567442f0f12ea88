# SPDX-License-Identifier: Apache-2.0
"""Objects: what a detection is, and how they are read off the network's outputs or a label map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from semcom_ros.labels import CLASSES, SUPERCLASS
from semcom_ros.objects import Box2D

if TYPE_CHECKING:
    from semcom_ros.perception.networks import Outputs

THRESHOLD = 0.3
"""Least score of a detection."""
OVERLAP = 0.6
"""Of two boxes of one class that overlap more (intersection over union), the better one stays."""
MOST = 100
"""Detections that an image gives at most."""


@dataclass(frozen=True)
class Detection:
    """One object: class name, score 0 to 1, its box in pixels of the image, edges not centres."""

    name: str
    score: float
    left: float
    top: float
    width: float
    height: float

    @property
    def box(self) -> Box2D:
        return self.left, self.top, self.width, self.height


def folded(detections: Sequence[Detection]) -> list[Detection]:
    """`detections` in CamVid's classes, each as its superclass: where the truth knows no others."""
    return [replace(d, name=SUPERCLASS.get(d.name, d.name)) for d in detections]


def read_boxes(
    outputs: Outputs, names: Sequence[str], threshold: float = THRESHOLD
) -> list[list[Detection]]:
    """The detections in `outputs` of images, each by falling score."""
    from semcom_ros.perception.networks import STRIDE

    heat = outputs.heat.float().sigmoid().permute(0, 2, 3, 1).cpu().numpy()
    sides = outputs.sides.float().exp().mul(STRIDE).permute(0, 2, 3, 1).cpu().numpy()
    height, width = np.array(heat.shape[1:3]) * STRIDE
    images = []
    for heat_of, sides_of in zip(heat, sides, strict=True):
        row, col, kind, score = peaks(np.ascontiguousarray(heat_of), threshold)
        left, top, right, bottom = sides_of[row, col].T
        x, y = (col + 0.5) * STRIDE, (row + 0.5) * STRIDE
        x0, x1 = (np.clip(v, 0, width) for v in (x - left, x + right))
        y0, y1 = (np.clip(v, 0, height) for v in (y - top, y + bottom))
        boxes = np.stack([x0, y0, x1 - x0, y1 - y0], 1).astype(np.float64)
        kept = cv2.dnn.NMSBoxesBatched(
            boxes.tolist(), score.tolist(), kind.tolist(), threshold, OVERLAP
        )
        found = [Detection(names[kind[i]], float(score[i]), *map(float, boxes[i])) for i in kept]
        images.append(sorted(found, key=lambda d: -d.score))
    return images


def peaks(
    heat: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The best `MOST` local maxima of at least `threshold` in `heat` [rows, cols, classes].

    Returns row, column, class and score of each, best first.
    """
    best = cv2.dilate(heat, np.ones((3, 3), np.uint8)).reshape(heat.shape)
    row, col, kind = np.nonzero((heat == best) & (heat >= threshold))
    score = heat[row, col, kind]
    order = np.argsort(-score, kind="stable")[:MOST]
    return row[order], col[order], kind[order], score[order]


def find_regions(
    labels: np.ndarray, confidence: np.ndarray | None = None, min_area: int = 1
) -> list[Detection]:
    """The connected regions of things in a map, of at least `min_area` pixels, largest first.

    labels: uint8 [H, W] trainId. confidence: uint8 [H, W], 0 invented to 255 certain, by default
    certain; a region scores its mean. Neighbours by a side or a corner belong together; objects of
    one class that touch are one region.
    """
    found = []
    for train_id in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)):
        if train_id >= len(CLASSES) or not CLASSES[train_id].thing:
            continue
        mask = (labels == train_id).view(np.uint8)
        count, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        weights = None if confidence is None else confidence.ravel()
        sums = np.bincount(regions.ravel(), weights, count)
        for total, (*box, area) in zip(sums[1:], stats[1:].tolist(), strict=True):
            if area >= min_area:
                score = 1.0 if confidence is None else float(total / area / 255)
                found.append((area, Detection(CLASSES[train_id].name, score, *map(float, box))))
    return [detection for _, detection in sorted(found, key=lambda pair: -pair[0])]
