# SPDX-License-Identifier: Apache-2.0
"""How much boxes overlap, and how much of it shows one and the same thing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semcom_ros.objects import Box2D

OVERLAP = 0.5
"""Least intersection over union of a detection and the object that it shows, COCO's."""


def edges(boxes: Sequence[Box2D]) -> np.ndarray:
    """Left, top, right, bottom of each, float64 [N, 4]."""
    found = np.array(boxes, np.float64).reshape(-1, 4)
    found[:, 2:] += found[:, :2]
    return found


def areas(boxes: np.ndarray) -> np.ndarray:
    """Square pixels [...] of boxes given by their edges [..., 4]."""
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


def shared_areas(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Square pixels [N] that the box [4] shares with each of `others` [N, 4], all by edges."""
    sides = np.minimum(others[:, 2:], box[2:]) - np.maximum(others[:, :2], box[:2])
    return sides.clip(0).prod(1)


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union [N] of the box [4] with each of `others` [N, 4], all by edges."""
    shared = shared_areas(box, others)
    return shared / (areas(others) + areas(box) - shared)


def found_again(truth: Sequence[Box2D], boxes: Sequence[Box2D]) -> list[bool]:
    """Of each of `truth`, whether one of `boxes` overlaps it by half.

    Each of `boxes`, the surest first, finds one: that which it overlaps most, as in COCO's
    evaluation.
    """
    found = np.zeros(len(truth), bool)
    if len(truth):
        corners = edges(truth)
        for box in edges(boxes):
            overlap = np.where(found, -1, overlaps(box, corners))
            best = overlap.argmax()
            found[best] |= overlap[best] >= OVERLAP
    return found.tolist()


def found_covered(truth: Sequence[Box2D], boxes: Sequence[Box2D]) -> list[bool]:
    """Of each of `truth`, whether one of `boxes` covers at least half of it."""
    corners = edges(truth)
    found = np.zeros(len(truth), bool)
    for box in edges(boxes):
        found |= shared_areas(box, corners) >= OVERLAP * areas(corners)
    return found.tolist()
