# SPDX-License-Identifier: Apache-2.0
"""The label map as one-hot planes of the classes present: uncoded bits, two to a QPSK symbol.

Grassucci, Barbarossa, Comminiello, arXiv 2306.04321: what the receiver gets are soft values. The
set of classes goes ahead as coded bits, for without it no plane would have a meaning.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from semcom_ros.coding.grids import pool
from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, VOID
from semcom_ros.payload import Part, PayloadError

ROWS = (256, 128, 64)
"""Rows of the grids that planes are sent on; their columns are twice as many."""
VOID_PLANE = len(CLASSES)
"""Void is a plane like a class: its pixels must be something."""
_SCALE = np.float32(2**-0.5)
_LEAST_SCALE = np.float32(1e-4)
_SET_BYTES = 4


class ReceivedPlanes(NamedTuple):
    """Planes float32 [n, h, w] as they arrived, about 0 to 1; the class of each, 0 to 19, where 19
    is void; and the variance of the noise on their values, of the same shape, or None."""

    planes: np.ndarray
    present: list[int]
    noise_variance: np.ndarray | None


def encode(labels: np.ndarray, rows: int) -> tuple[bytes, np.ndarray]:
    """The set of classes, and the symbols complex64 [n h w / 2] of the map uint8 [256, 512].

    Symbols go plane by plane and row by row; the first bit of two is the real part, 1 positive.
    """
    cells = pool(labels, (rows, 2 * rows))
    cells = np.where(cells == VOID, VOID_PLANE, cells)
    present = np.unique(cells)
    classes = sum(1 << int(c) for c in present)
    bits = (cells == present[:, None, None]).reshape(-1, 2)
    symbols = np.where(bits, _SCALE, -_SCALE).view(np.complex64).ravel()
    return bytes([ROWS.index(rows)]) + classes.to_bytes(_SET_BYTES - 1, "big"), symbols


def decode(classes: bytes, part: Part) -> ReceivedPlanes:
    """The planes from the set of classes and the part of symbols as it was received.

    Raises PayloadError lost for an erased part, SemcomError where the two contradict each other.
    """
    if part.erased:
        raise PayloadError("lost", f"Part '{part.name}' was lost on the air.")
    if len(classes) != _SET_BYTES or classes[0] >= len(ROWS):
        raise SemcomError("The set of classes is damaged: it holds a grid and 20 flags.")
    flags = int.from_bytes(classes[1:], "big")
    present = [c for c in range(VOID_PLANE + 1) if flags >> c & 1]
    rows = ROWS[classes[0]]
    shape = (len(present), rows, 2 * rows)
    wanted = np.prod(shape) // 2
    if part.symbols is None or not present or flags >> (VOID_PLANE + 1) or not wanted:
        raise SemcomError("The planes hold no symbols, or their set of classes names none.")
    if len(part.symbols) != wanted:
        raise SemcomError(
            f"The set names {len(present)} classes, whose planes of {2 * rows}x{rows} take "
            f"{wanted} symbols, and {len(part.symbols)} came: one of the two is not of this map."
        )
    symbols, variance = _unbiased(part.symbols, part.noise_variance)
    planes = (symbols.view(np.float32).reshape(shape) / _SCALE + 1) / 2
    if variance is not None:
        # Half of the noise is in each part of a symbol, and a value of 1 is sqrt(2) apart from 0.
        variance = np.repeat(variance / 4, 2).reshape(shape)
    return ReceivedPlanes(planes, present, variance)


def _unbiased(
    symbols: np.ndarray, variance: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The symbols at the scale at which they were sent, and the variance of their noise.

    Equalised for the least squared error e they are (1 - e) times as large, so that their power is
    below the 1 that they were sent with; any others have the power of the noise on top.
    """
    if variance is None or np.vdot(symbols, symbols).real >= len(symbols):
        return symbols, variance
    scale = np.maximum(1 - variance, _LEAST_SCALE)
    return symbols / scale, variance / scale
