# SPDX-License-Identifier: Apache-2.0
"""The trained state of a coder in a file: weights, and counters (6 bits probability, 2 trust).

A counter is a uint32: a probability in the upper 22 bits, times seen in the lower 10.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

from semcom_ros.coding.logistic import REACH, SQUASH

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
    """The counters uint32 of `shape` nearest to those of which `_pack` made `packed`, or
    None where it holds none of that shape."""
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
