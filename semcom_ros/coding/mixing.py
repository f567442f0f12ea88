# SPDX-License-Identifier: Apache-2.0
"""What coders that mix contexts share: integer tables, and trained counters and weights in a file.

A counter is a uint32: a probability in the upper 22 bits, times seen in the lower 10; in a file it
has 6 bits of probability and 2 of trust.
"""

from __future__ import annotations

import math
import zlib

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
RATE = np.array([(2 << 16) // (2 * n + 3) for n in range(1024)], np.int64)
"""By times seen, how far a counter goes towards what it sees, in 1/65536."""
_LEVELS = (0, 2, 8, 255)
_STEP = 90  # of the logistic domain, in 1/256: the 63 levels span eleven nats either way


def stored(counters: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """A coder's `counters` uint32 and mixing `weights` int32, of any shapes, as tensors."""
    return {"counters": _pack(counters), "weights": weights}


def restored(
    tensors: dict[str, np.ndarray], counters: tuple[int, ...], weights: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Counters and weights of `stored` tensors, or None where they are not of these shapes."""
    packed, mixing = tensors.get("counters"), tensors.get("weights")
    if packed is None or mixing is None or mixing.shape != weights or mixing.dtype != np.int32:
        return None
    known = _unpack(packed, counters)
    return None if known is None else (known, mixing)


def _pack(counters: np.ndarray) -> np.ndarray:
    """`counters` uint32 of any shape as uint8 [bytes], deflated: most were never used."""
    probability = ((counters >> 10) + 0.5) / (1 << 22)
    logit = np.log(probability / (1 - probability)) * 256
    level = np.clip(np.rint(logit / _STEP), -31, 31).astype(np.int64) + 31
    count = np.digitize((counters & 1023).astype(np.int64), (1, 4, 20))
    one_byte_each = (level * 4 + count).astype(np.uint8)
    return np.frombuffer(zlib.compress(one_byte_each.tobytes(), 9), np.uint8)


def _unpack(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The counters uint32 of `shape` nearest to those that `_pack` was given, None for others."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed.tobytes(), math.prod(shape) + 1)
    except zlib.error:
        return None
    if len(data) != math.prod(shape) or not stream.eof:
        return None
    stored = np.frombuffer(data, np.uint8).reshape(shape)
    logit = np.clip((np.arange(64) - 31) * _STEP, -REACH, REACH)
    probability = SQUASH[REACH + logit].astype(np.uint32) << 6
    return (probability[stored >> 2] << 10) | np.array(_LEVELS, np.uint32)[stored & 3]
