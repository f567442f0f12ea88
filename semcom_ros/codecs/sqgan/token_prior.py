# SPDX-License-Identifier: Apache-2.0
"""What the token coder knows before it sees a frame: pre-trained counters and mixing weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_ros.codecs.gesco.logistic import SQUASH
from semcom_ros.labels import CLASSES, VOID

BITS = 10
"""Of an index."""
MAX_LAYERS = 4
NODES = 1 << BITS
CLUSTERS = 65
"""A neighbour's index by its upper six bits, and one value for a neighbour that is not known."""
SYMBOLS = len(CLASSES) + 2
"""Of a cell's class: the classes, void, and unknown."""
UNKNOWN = SYMBOLS - 1
CONTEXTS = 5
SETS = MAX_LAYERS + BITS
"""Rows of mixing weights: one for the mask of each layer, one for each bit of an index."""

_MASK_SIZES = (MAX_LAYERS * SYMBOLS, MAX_LAYERS * 81, 9 * SYMBOLS, MAX_LAYERS * 33,
               MAX_LAYERS * 16 * SYMBOLS)  # fmt: skip
_INDEX_SIZES = tuple(n * NODES for n in (MAX_LAYERS, SYMBOLS, CLUSTERS, CLUSTERS, CLUSTERS))
_STARTS = np.concatenate([[0], np.cumsum(_MASK_SIZES + _INDEX_SIZES)])
MASK_START = tuple(int(s) for s in _STARTS[:CONTEXTS])
INDEX_START = tuple(int(s) for s in _STARTS[CONTEXTS : 2 * CONTEXTS])
COUNTERS = int(_STARTS[-1])

_STEP = 90  # of the logistic domain, in 1/256: the 63 levels span eleven nats either way
_LEVELS = (0, 2, 8, 255)

SYMBOL = np.full(256, UNKNOWN, np.uint8)
"""Lookup table: trainId -> symbol of a cell's class."""
SYMBOL[: len(CLASSES)] = range(len(CLASSES))
SYMBOL[VOID] = len(CLASSES)


@dataclass(frozen=True)
class TokenPrior:
    """The state that every frame's tokens are coded from.

    counters: uint32 [COUNTERS], probability in the upper 22 bits, times seen in the lower 10.
    weights: int32 [SETS, CONTEXTS + 1] in 1/65536.
    """

    counters: np.ndarray
    weights: np.ndarray


def scratch() -> TokenPrior:
    """A prior that knows nothing."""
    mixing = np.full((SETS, CONTEXTS + 1), 65536 // 3, np.int32)
    mixing[:, CONTEXTS] = 0
    return TokenPrior(np.full(COUNTERS, 1 << 31, np.uint32), mixing)


def stored(prior: TokenPrior) -> dict[str, np.ndarray]:
    """As tensors, one byte a counter: 6 bits chance, 2 bits trust."""
    chance = ((prior.counters >> 10) + 0.5) / (1 << 22)
    logit = np.log(chance / (1 - chance)) * 256
    level = np.clip(np.rint(logit / _STEP), -31, 31).astype(np.int64) + 31
    count = np.digitize((prior.counters & 1023).astype(np.int64), (1, 4, 20))
    return {"counters": (level * 4 + count).astype(np.uint8), "weights": prior.weights}


def restored(tensors: dict[str, np.ndarray]) -> TokenPrior | None:
    """The prior of `stored` tensors, or None where they are of another version of the coder."""
    counters, mixing = tensors.get("counters"), tensors.get("weights")
    if (
        counters is None
        or mixing is None
        or (counters.shape, counters.dtype) != ((COUNTERS,), np.uint8)
        or (mixing.shape, mixing.dtype) != ((SETS, CONTEXTS + 1), np.int32)
    ):
        return None
    middle = SQUASH.size // 2
    logit = np.clip((np.arange(64) - 31) * _STEP, -middle, middle)
    chance = SQUASH[middle + logit].astype(np.uint32) << 6
    known = (chance[counters >> 2] << 10) | np.array(_LEVELS, np.uint32)[counters & 3]
    return TokenPrior(known, mixing)
