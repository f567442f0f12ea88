# SPDX-License-Identifier: Apache-2.0
"""What the token coder knows before it sees a frame: pre-trained counters and mixing weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_ros.coding import mixing
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
    """As tensors."""
    return mixing.stored(prior.counters, prior.weights)


def restored(tensors: dict[str, np.ndarray]) -> TokenPrior | None:
    """The prior of `stored` tensors, or None where they are of another version of the coder."""
    state = mixing.restored(tensors, (COUNTERS,), (SETS, CONTEXTS + 1))
    return None if state is None else TokenPrior(*state)
