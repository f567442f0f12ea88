# SPDX-License-Identifier: Apache-2.0
"""The walk over a layer's cells: one binary decision after the other, mixed from five contexts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from semcom_ros.codecs.sqgan.token_prior import (
    BITS,
    CLUSTERS,
    CONTEXTS,
    INDEX_START,
    MASK_START,
    MAX_LAYERS,
    NODES,
    SYMBOLS,
)
from semcom_ros.coding.mixing import RATE, REACH, SQUASH, STRETCH
from semcom_ros.coding.range_coder import code_bit, finish, start
from semcom_ros.runtime import compiled

_MIX_RATE = 200
_COUNT_BITS = 9
SLACK = 32
"""Bytes of buffer that one cell may take at most, and the coder's ending."""


class CodeState(NamedTuple):
    """What coding a layer reads and changes.

    levels, indices, classes: int64 [h + 2, w + 2] with a margin; a level is 0 where a cell is not
    kept, else 1 more than its layer's number. counters, mixing: as a `TokenPrior` holds them.
    """

    levels: np.ndarray
    indices: np.ndarray
    classes: np.ndarray
    counters: np.ndarray
    mixing: np.ndarray


@compiled()
def _decide(
    coder: np.ndarray,
    buffer: np.ndarray,
    decoding: bool,
    bit: int,
    slots: np.ndarray,
    inputs: np.ndarray,
    counters: np.ndarray,
    mixing: np.ndarray,
    rate: int,
    max_count: int,
) -> int:
    """Code one bit by what the counters at `slots` [CONTEXTS] have seen, and let them see it."""
    total = 0
    for q in range(CONTEXTS):
        inputs[q] = STRETCH[np.int64(counters[slots[q]]) >> 18]
    for q in range(CONTEXTS + 1):
        total += inputs[q] * np.int64(mixing[q])
    p = SQUASH[min(max(total >> 16, -REACH), REACH) + REACH]
    bit = code_bit(coder, buffer, decoding, bit, p)
    error = ((bit << 16) - p) * rate
    for q in range(CONTEXTS + 1):
        mixing[q] += (inputs[q] * error + (1 << 23)) >> 24
    for q in range(CONTEXTS):
        state: Any = np.int64(counters[slots[q]])
        count, probability = state & 1023, state >> 10
        probability += (((bit << 22) - bit - probability) * RATE[count]) >> 16
        counters[slots[q]] = (probability << 10) | min(count + 1, max_count)
    return bit


@compiled()
def _mask_slots(
    levels: np.ndarray,
    classes: np.ndarray,
    y: int,
    x: int,
    layer: int,
    wanted: int,
    left: int,
    slots: np.ndarray,
) -> None:
    """Contexts of whether cell (y, x) of the padded grids belongs to `layer`."""
    own = classes[y, x]
    pattern = 0
    for level in (levels[y, x - 1], levels[y - 1, x], levels[y - 1, x - 1], levels[y - 1, x + 1]):
        pattern = pattern * 3 + (0 if level == 0 else 1 if level <= layer else 2)
    earlier = 0
    for i in range(-1, 2):
        for j in range(-1, 2):
            earlier += 0 < levels[y + i, x + j] <= layer
    alike = (
        (classes[y, x - 1] == own)
        | ((classes[y - 1, x] == own) << 1)
        | ((classes[y, x + 1] == own) << 2)
        | ((classes[y + 1, x] == own) << 3)
    )
    slots[0] = MASK_START[0] + layer * SYMBOLS + own
    slots[1] = MASK_START[1] + layer * 81 + pattern
    slots[2] = MASK_START[2] + earlier * SYMBOLS + own
    slots[3] = MASK_START[3] + layer * 33 + 32 * wanted // left
    slots[4] = MASK_START[4] + (layer * 16 + alike) * SYMBOLS + own


@compiled()
def code_cells(
    buffer: np.ndarray, decoding: bool, layer: int, most: int, state: CodeState, max_count: int
) -> int:
    """Code layer number `layer`, of at most `most` cells, adapting counters and mixing.

    Returns the bytes written, or -1 when the buffer is too small. Bounded work, whatever the data.
    """
    levels, indices, classes, counters, mixing = state
    h, w = levels.shape[0] - 2, levels.shape[1] - 2
    slots, inputs = np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS + 1, np.int64)
    inputs[CONTEXTS] = 256
    coder = start(buffer, decoding)
    wanted = (levels[1:-1, 1:-1] == layer + 1).sum()
    left = (levels[1:-1, 1:-1] == 0).sum() + wanted
    # One bit says that the layer is full, or all that is left; else the count follows.
    whole = min(most, left)
    full = code_bit(coder, buffer, decoding, 1 if wanted == whole else 0, 32768)
    if not full:
        count = 0
        for k in range(_COUNT_BITS - 1, -1, -1):
            count = 2 * count + code_bit(coder, buffer, decoding, (wanted >> k) & 1, 32768)
        wanted = min(count, whole)
    else:
        wanted = whole
    for y in range(1, h + 1):
        for x in range(1, w + 1):
            if 0 < levels[y, x] <= layer:
                continue
            # Before every cell: those that are left out take bits too, and many may follow.
            if not decoding and coder[3] + SLACK > buffer.size:
                return -1
            mine = 1 if levels[y, x] == layer + 1 else 0
            if wanted == 0 or wanted == left:
                mine = 1 if wanted else 0
            else:
                _mask_slots(levels, classes, y, x, layer, wanted, left, slots)
                mine = _decide(
                    coder, buffer, decoding, mine, slots, inputs, counters, mixing[layer],
                    _MIX_RATE, max_count,
                )  # fmt: skip
            left -= 1
            levels[y, x] = (layer + 1) * mine
            if not mine:
                continue
            wanted -= 1
            known = CLUSTERS - 1
            west = indices[y, x - 1] >> 4 if levels[y, x - 1] else known
            north = indices[y - 1, x] >> 4 if levels[y - 1, x] else known
            ahead = known
            # In encoding a cell ahead may be of this layer, which the decoder cannot know yet.
            if 0 < levels[y, x + 1] <= layer:
                ahead = indices[y, x + 1] >> 4
            elif 0 < levels[y + 1, x] <= layer:
                ahead = indices[y + 1, x] >> 4
            node = 1
            for k in range(BITS - 1, -1, -1):
                slots[0] = INDEX_START[0] + layer * NODES + node
                slots[1] = INDEX_START[1] + classes[y, x] * NODES + node
                slots[2] = INDEX_START[2] + west * NODES + node
                slots[3] = INDEX_START[3] + north * NODES + node
                slots[4] = INDEX_START[4] + ahead * NODES + node
                bit = _decide(
                    coder, buffer, decoding, (indices[y, x] >> k) & 1, slots, inputs, counters,
                    mixing[MAX_LAYERS + k], _MIX_RATE, max_count,
                )  # fmt: skip
                node = 2 * node + bit
            indices[y, x] = node - NODES
    return 0 if decoding else finish(coder, buffer)
