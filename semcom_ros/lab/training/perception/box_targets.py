# SPDX-License-Identifier: Apache-2.0
"""What the detector's grid should say for given boxes: heat about each centre, and the box."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

from semcom_ros.lab.ground_truth import Boxes
from semcom_ros.perception.networks import STRIDE

SPREAD = 0.54
"""The part of a box, about its centre, that learns the box (TTFNet's alpha)."""

Array = TypeVar("Array")


class BoxTargets(NamedTuple):
    """Targets on the grid of cells; arrays of a frame, or tensors of a batch [B, ...].

    heat: float32 [classes, rows, cols], 1 at the centre of an object, less around. counted:
    float32 [classes, rows, cols], 0 where the heat has no loss. box: float32 [4, rows, cols], the
    box left, top, right, bottom in cells that a cell shall say. weight: float32 [rows, cols] of
    its loss; it sums up to 1 an object.
    """

    heat: Array
    counted: Array
    box: Array
    weight: Array


def draw(boxes: Boxes, classes: int, size: tuple[int, int]) -> BoxTargets:
    """The targets of a frame of `size` (H, W) pixels with `boxes` of `classes` classes.

    Source: TTFNet (Liu et al., AAAI 2020), equation 2: an elliptical Gaussian a box. Where two
    meet, the smaller box counts.
    """
    rows, cols = size[0] // STRIDE, size[1] // STRIDE
    heat = np.zeros((classes, rows, cols), np.float32)
    counted = np.ones_like(heat)
    box = np.zeros((4, rows, cols), np.float32)
    weight = np.zeros((rows, cols), np.float32)
    scaled = boxes.edges / STRIDE
    span = scaled[:, 2:] - scaled[:, :2]
    for i in np.argsort(-span.prod(1), kind="stable"):
        kind, (left, top, right, bottom) = boxes.classes[i], scaled[i]
        if boxes.ignored[i]:
            inside = np.s_[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
            counted[kind][inside] *= heat[kind][inside] == 1
            continue
        x, y = (left + right) / 2, (top + bottom) / 2
        col, row = min(int(x), cols - 1), min(int(y), rows - 1)
        reach = (span[i] / 2 * SPREAD).astype(int)
        x0, y0 = max(col - reach[0], 0), max(row - reach[1], 0)
        near = np.s_[y0 : row + reach[1] + 1, x0 : col + reach[0] + 1]
        dy, dx = np.mgrid[near]
        sigma = (2 * reach + 1) / 6
        bell = np.exp(
            -((dx - col) ** 2) / (2 * sigma[0] ** 2) - (dy - row) ** 2 / (2 * sigma[1] ** 2)
        ).astype(np.float32)[: rows - y0, : cols - x0]
        heat[kind][near] = np.maximum(heat[kind][near], bell)
        counted[kind, row, col] = 1
        box[:, *near] = scaled[i][:, None, None]
        weight[near] = bell / bell.sum()
    return BoxTargets(heat, counted, box, weight)
