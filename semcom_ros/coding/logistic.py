# SPDX-License-Identifier: Apache-2.0
"""The logistic function and its inverse as integer tables that are the same on every machine."""

from __future__ import annotations

import numpy as np

REACH = 2815
"""Eleven nats, in units of 1/256: probabilities down to 1/65536."""


def _logistic_tables() -> tuple[np.ndarray, np.ndarray]:
    """1 / (1 + e^-x) in 1/65536 for x in 1/256, and its inverse for 14-bit probabilities.

    Made of Python integers: float exponentials differ between C libraries.
    """
    one = 1 << 128
    step, term = 0, one
    for n in range(1, 40):
        step += term
        term //= 256 * n
    squash = np.zeros(2 * REACH + 1, np.int64)
    power = one
    for x in range(REACH + 1):
        squash[REACH + x] = min(65535, (65536 * power) // (one + power))
        squash[REACH - x] = 65536 - squash[REACH + x]
        power = (power * step) >> 128
    stretch = np.searchsorted(squash, np.arange(2, 65536, 4)) - REACH
    return squash, stretch.clip(-REACH, REACH)


SQUASH, STRETCH = _logistic_tables()
