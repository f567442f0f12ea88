# SPDX-License-Identifier: Apache-2.0
"""Trained counters of the coders as bytes of a file: 6 bits chance, 2 bits trust.

A counter is a uint32: a probability in the upper 22 bits, times seen in the lower 10.
"""

from __future__ import annotations

import math
import zlib

import numpy as np

from semcom_ros.codecs.gesco.logistic import REACH, SQUASH

_LEVELS = (0, 2, 8, 255)
_STEP = 90  # of the logistic domain, in 1/256: the 63 levels span eleven nats either way


def pack_counters(counters: np.ndarray) -> np.ndarray:
    """`counters` uint32 of any shape as uint8 [bytes], deflated: most were never used."""
    chance = ((counters >> 10) + 0.5) / (1 << 22)
    logit = np.log(chance / (1 - chance)) * 256
    level = np.clip(np.rint(logit / _STEP), -31, 31).astype(np.int64) + 31
    count = np.digitize((counters & 1023).astype(np.int64), (1, 4, 20))
    one_byte_each = (level * 4 + count).astype(np.uint8)
    return np.frombuffer(zlib.compress(one_byte_each.tobytes(), 9), np.uint8)


def unpack_counters(packed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """The counters uint32 of `shape` nearest to those of which `pack_counters` made `packed`, or
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
    chance = SQUASH[REACH + logit].astype(np.uint32) << 6
    return (chance[stored >> 2] << 10) | np.array(_LEVELS, np.uint32)[stored & 3]
