# SPDX-License-Identifier: Apache-2.0
"""Detections on a regenerated image held against the map that was received."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semcom_ros.labels import CLASSES, NAMES, SUPERCLASS, TRAIN_ID, VOID
from semcom_ros.perception.detection import Detection, find_regions
from semcom_ros.reconstruction import Reconstruction

SUPPORT = 0.2
"""Least share of a detection's box that was received as its class or superclass and that no better
detection stands on. Of true boxes of the procedural drive 99 in 100 persons fill 37 % or more,
riders 50 %, cars 64 %, so that this leaves room for occlusion and for boxes that sit badly."""
MARGIN = 0.15
"""A detection's box, grown by this part of its sides, takes the map's pixels of its kind with it:
what is left of an object at the rim of its box is no object of its own."""

MIN_AREA = 40
"""Fewest pixels of the map that make an object by themselves, unless somebody says otherwise."""

Box = tuple[slice, slice]

_KIND = np.full(256, VOID, np.uint8)
"""TrainId of a thing -> its superclass (`labels.SUPERCLASS`), or itself; void for no thing."""
for _i, _class in enumerate(CLASSES):
    if _class.thing:
        _KIND[_i] = TRAIN_ID[SUPERCLASS.get(_class.name, _class.name)]


def fuse(
    detections: Sequence[Detection], received: Reconstruction, min_area: int
) -> list[Detection]:
    """The objects that received map supports, by falling score.

    received: labels and confidence of a map, and its support, if there is one. min_area: fewest
    pixels of the map that make an object by themselves.

    Every received pixel supports one object. Detections take theirs in order of score: one that
    finds too little (`SUPPORT`) is left out, whatever its score; one that finds enough keeps its
    box. Its name is its own where the map has that class in its box, else the map's. What then is
    left of the map was missed, and its regions are objects as well.

    With confidence c of the map (mean over the object's pixels, 0 to 1) and score s of the
    detection (0 where it was missed) an object scores c (1 + s) / 2: an image that was made from
    the map tells whether the map makes sense, but cannot make it surer than it was received.
    """
    supported, confidence = supported_labels(received), np.asarray(received.confidence)
    kinds = _KIND[supported]
    free, left = kinds.copy(), supported.copy()
    fused = []
    for detection in sorted(detections, key=lambda d: -d.score):
        kind = _KIND[TRAIN_ID[detection.name]]
        box = _pixels(detection, supported.shape)
        mine = free[box] == kind
        if kind == VOID or not mine.size or mine.mean() < SUPPORT:
            continue
        free[box][mine] = VOID
        name = _name(detection.name, supported[box][mine])
        certain = confidence[box][mine].mean() / 255
        score = float(certain * (1 + detection.score) / 2)
        fused.append(replace(detection, name=name, score=score))
        around = _pixels(detection, supported.shape, MARGIN)
        left[around][kinds[around] == kind] = VOID
    missed = find_regions(left, confidence, min_area)
    fused += [replace(region, score=region.score / 2) for region in missed]
    return sorted(fused, key=lambda d: -d.score)


def objects_in(received: Reconstruction, min_area: int) -> list[Detection]:
    """The objects of the map alone, where there is no detector: each scores its confidence."""
    return find_regions(supported_labels(received), received.confidence, min_area)


def supported_labels(received: Reconstruction) -> np.ndarray:
    """Labels uint8 [H, W] of `received`, void where they rest on nothing received."""
    labels, support = np.asarray(received.labels), received.support
    return labels if support is None else np.where(support, labels, np.uint8(VOID))


def class_pixels(
    detection: Detection, labels: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray]:
    """The box of `detection` as an index into `labels`, and which of its pixels are of its kind."""
    box = _pixels(detection, labels.shape)
    return box, _KIND[labels[box]] == _KIND[TRAIN_ID[detection.name]]


def _name(detected: str, received: np.ndarray) -> str:
    """The class of an object of one kind: as detected where it was `received`, else the map's."""
    counts = np.bincount(received, minlength=len(CLASSES))
    # A few pixels at the rim of something else are no reason to doubt the map.
    own = counts[TRAIN_ID[detected]] >= SUPPORT * counts.sum()
    return detected if own else NAMES[counts.argmax()]


def _pixels(d: Detection, shape: tuple[int, int], margin: float = 0.0) -> Box:
    """The pixels of a box, grown by `margin` of its sides, as an index into a map of `shape`."""
    x, y = margin * d.width, margin * d.height
    edges = np.round([d.top - y, d.top + d.height + y, d.left - x, d.left + d.width + x])
    top, bottom, left, right = edges.clip(0, [shape[0], shape[0], shape[1], shape[1]]).astype(int)
    return slice(top, bottom), slice(left, right)
