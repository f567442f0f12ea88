# SPDX-License-Identifier: Apache-2.0
"""Coarser grids of a label map: pooling to them, back to full size, and the finest that fits."""

from __future__ import annotations

import numpy as np

from semcom_ros.coding import map_coder
from semcom_ros.coding.map_prior import Prior
from semcom_ros.errors import SemcomError, given
from semcom_ros.labels import TRAIN_ID
from semcom_ros.runtime import compiled

_HEIGHTS = (256, 192, 160, 144, 128, 112, 96, 88, 80, 72, 64, 56, 48, 40, 32, 24, 16, 12, 8)
GRIDS = tuple((height, 2 * height) for height in _HEIGHTS)
"""Heights and widths in cells, finest first; a coded map begins with its place here."""

_TYPICAL: tuple[int, int | None] = (80, 255)
"""Rows of a grid and the bytes that a street takes on it."""
_GROWTH = 0.8
"""Bytes grow as the rows to the power 1 / 0.8."""

THIN = ("pole", "traffic light", "traffic sign", "person", "rider", "motorcycle", "bicycle")
"""Classes whose area counts more in a cell's vote: by area alone they would vanish."""
_VOTE = np.full(256, 2, np.int64)
_VOTE[[TRAIN_ID[name] for name in THIN]] = 3


def pool(labels: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """The label that covers most of each cell: uint8 [H, W] to uint8 `grid` (h, w)."""
    if labels.shape == tuple(grid):
        return labels
    return _pool(np.ascontiguousarray(labels), grid[0], grid[1], _VOTE)


def upsample(cells: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels uint8 [H, W] of `size` from `cells` uint8 [h, w], and their certainty uint8 [H, W].

    Each label's indicator is smoothed by the quadratic B-spline and the greatest wins; its share,
    0 to 255, is the certainty. Cells of the full size are taken as they are.
    """
    if cells.shape == tuple(size):
        return cells, np.full(size, 255, np.uint8)
    return _upsample(np.ascontiguousarray(cells), size[0], size[1])


def fit_to(labels: np.ndarray, budget: int, prior: Prior) -> bytes:
    """`labels` uint8 [H, W] coded on about the finest grid that takes at most `budget` bytes.

    The next grid to try is foretold from the last size known, else the middle of what is left;
    an encoding that overruns the budget stops there. Raises SemcomError when the coarsest grid
    does not fit, naming the bytes it needs.
    """
    best, fine, coarse = None, 0, len(GRIDS) - 1
    height, size = _TYPICAL
    while fine <= coarse:
        if size is None:
            index = (fine + coarse) // 2
        else:
            wanted = height * (max(budget, 1) / size) ** _GROWTH
            # A finer one than foretold might just fit, but most such tries would be in vain.
            if best is not None and GRIDS[coarse][0] > wanted:
                break
            index = sum(h > wanted for h, _ in GRIDS)
            index = min(max(index, fine), coarse)
        height = GRIDS[index][0]
        code = map_coder.encode(pool(labels, GRIDS[index]), prior, budget - 1)
        if code is None:
            fine, size = index + 1, None
        else:
            best, coarse, size = bytes([index]) + code, index - 1, 1 + len(code)
    if best is None:
        needed = 1 + len(given(map_coder.encode(pool(labels, GRIDS[-1]), prior)))
        raise SemcomError(
            f"The label map takes {needed} bytes on the coarsest grid and {budget} are left "
            "for it: allow a larger payload."
        )
    return best


def decode_map(data: bytes, size: tuple[int, int], prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Labels and certainty, uint8 [H, W] of `size`, from what `fit_to` made.

    Raises SemcomError as `decode_cells`.
    """
    return upsample(decode_cells(data, prior), size)


def decode_cells(data: bytes, prior: Prior) -> np.ndarray:
    """The cells uint8 [h, w], of the grid chosen, from what `fit_to` made.

    Raises SemcomError for data that names no grid.
    """
    if not data or data[0] >= len(GRIDS):
        raise SemcomError(
            "The coded label map is damaged: it must begin with a grid's number below "
            f"{len(GRIDS)}."
        )
    return map_coder.decode(data[1:], *GRIDS[data[0]], prior)


@compiled()
def _pool(labels: np.ndarray, h: int, w: int, vote: np.ndarray) -> np.ndarray:
    height, width = labels.shape
    cells = np.empty((h, w), np.uint8)
    votes = np.zeros(256, np.int64)
    for i in range(h):
        top, bottom = i * height // h, ((i + 1) * height + h - 1) // h
        for j in range(w):
            left, right = j * width // w, ((j + 1) * width + w - 1) // w
            most = -1
            for y in range(top, bottom):
                tall = min((y + 1) * h, (i + 1) * height) - max(y * h, i * height)
                for x in range(left, right):
                    wide = min((x + 1) * w, (j + 1) * width) - max(x * w, j * width)
                    label = labels[y, x]
                    votes[label] += tall * wide * vote[label]
                    if votes[label] > most:
                        most = votes[label]
                        cells[i, j] = label
            for y in range(top, bottom):
                for x in range(left, right):
                    votes[labels[y, x]] = 0
    return cells


@compiled()
def _taps(size: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `size` pixels the nearest of `cells` cells, and the three weights around it.

    The weights are the quadratic B-spline's, in 1 / (8 size^2).
    """
    nearest, weights = np.empty(size, np.int64), np.empty((size, 3), np.int64)
    for x in range(size):
        # Positions count in 1 / (2 size) of a cell.
        at = (2 * x + 1) * cells
        nearest[x] = at // (2 * size)
        offset = at % (2 * size) - size
        weights[x, 0] = (size - offset) ** 2
        weights[x, 2] = (size + offset) ** 2
        weights[x, 1] = 8 * size * size - weights[x, 0] - weights[x, 2]
    return nearest, weights


@compiled()
def _mixed(cells: np.ndarray) -> np.ndarray:
    """Where one of the up to eight cells around is another: bool [h, w]."""
    h, w = cells.shape
    mixed = np.zeros((h, w), np.bool_)
    for i in range(h):
        for j in range(w):
            for a in range(max(i - 1, 0), min(i + 2, h)):
                for b in range(max(j - 1, 0), min(j + 2, w)):
                    mixed[i, j] |= cells[a, b] != cells[i, j]
    return mixed


@compiled()
def _upsample(cells: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    h, w = cells.shape
    rows, tall = _taps(height, h)
    columns, wide = _taps(width, w)
    labels = np.empty((height, width), np.uint8)
    certainty = np.full((height, width), 255, np.uint8)
    mixed, shares = _mixed(cells), np.zeros(256, np.int64)
    whole = 64 * height * height * width * width
    for y in range(height):
        for x in range(width):
            i, j = rows[y], columns[x]
            label = cells[i, j]
            if mixed[i, j]:
                for a in range(-1, 2):
                    for b in range(-1, 2):
                        cell = cells[min(max(i + a, 0), h - 1), min(max(j + b, 0), w - 1)]
                        shares[cell] += tall[y, a + 1] * wide[x, b + 1]
                for a in range(max(i - 1, 0), min(i + 2, h)):
                    for b in range(max(j - 1, 0), min(j + 2, w)):
                        if shares[cells[a, b]] > shares[label]:
                            label = cells[a, b]
                certainty[y, x] = shares[label] * 255 // whole
                for a in range(max(i - 1, 0), min(i + 2, h)):
                    for b in range(max(j - 1, 0), min(j + 2, w)):
                        shares[cells[a, b]] = 0
            labels[y, x] = label
    return labels, certainty
