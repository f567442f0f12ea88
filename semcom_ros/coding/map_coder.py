# SPDX-License-Identifier: Apache-2.0
"""Lossless coding of a label map by context mixing and a binary range coder.

Each cell is told by binary decisions: "as its west, north, north-east, north-west neighbour?",
else its class by a binary tree. A decision's probability mixes, in the logistic domain, what 13
adaptive counters have seen in 13 contexts (the construction of Mahoney's lpaq, 2007). Everything
is integer arithmetic, the tables too, so that two machines agree bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from semcom_ros.coding.map_prior import CONTEXTS, Prior, scale_of
from semcom_ros.coding.mixing import RATE, REACH, SQUASH, STRETCH
from semcom_ros.coding.range_coder import code_bit, finish, start
from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, VOID
from semcom_ros.runtime import compiled

MAX_CELLS = 1 << 22
_OUTSIDE = 20
_MARGIN = 4
_UNIFORM_CONTEXTS = 4
_TRAIN_COUNT, _CODE_COUNT = 1023, 255

_TO_SYMBOL = np.full(256, _OUTSIDE, np.uint8)
_TO_SYMBOL[: len(CLASSES)] = range(len(CLASSES))
_TO_SYMBOL[VOID] = len(CLASSES)
_TO_LABEL = np.full(32, VOID, np.uint8)
_TO_LABEL[: len(CLASSES)] = range(len(CLASSES))
_TRUST = np.searchsorted([1, 4, 20], np.arange(1024), side="right").astype(np.int64)


@compiled()
def _mix(a: int, b: int) -> int:
    """Hash two numbers below 2^31 into one; no product overflows 63 bits."""
    t = (a * 0x2F0B4C47 + 1) ^ (b * 0x5851F42D)
    return (t ^ (t >> 32)) & 0x7FFFFFFF


@compiled()
def _boundary(g: np.ndarray, y: int, x: int) -> int:
    """How the right-hand edge of the west neighbour's region ran in the five rows above."""
    label, right, path = g[y, x - 1], g.shape[1] - _MARGIN, 0
    for r in range(1, min(5, y - 3) + 1):
        moved = 0
        while moved < 4 and x < right and g[y - r, x] == label:
            x += 1
            moved += 1
        if moved == 0:
            while moved > -4 and x >= _MARGIN and g[y - r, x - 1] != label:
                x -= 1
                moved -= 1
        path = path * 11 + moved + 5
        if abs(moved) == 4 or x >= right or x < _MARGIN:
            break
    return path


@compiled()
def _contexts(
    g: np.ndarray,
    y: int,
    x: int,
    run: int,
    east: np.ndarray,
    west: np.ndarray,
    south: np.ndarray,
    context: np.ndarray,
) -> tuple[int, bool]:
    """Hash what is known around cell (y, x) into `context`.

    Returns the pattern of equal nearest neighbours (5 bits) and whether the whole
    neighbourhood holds one label, in which case only the first contexts are made.
    """
    h, w = g.shape[0] - 3, g.shape[1] - 2 * _MARGIN
    W, N, NE, NW = g[y, x - 1], g[y - 1, x], g[y - 1, x + 1], g[y - 1, x - 1]
    WW, NN, NEE, NWW = g[y, x - 2], g[y - 2, x], g[y - 1, x + 2], g[y - 1, x - 2]
    NNE, NNW, NNEE = g[y - 2, x + 1], g[y - 2, x - 1], g[y - 2, x + 2]
    NE3, NNN, WWW = g[y - 1, x + 3], g[y - 3, x], g[y, x - 3]
    near = (N == W) | ((NE == W) << 1) | ((NW == W) << 2) | ((NE == N) << 3) | ((NW == N) << 4)
    shape = (
        (WW == W) | ((NN == N) << 1) | ((NNE == N) << 2) | ((NNE == NE) << 3) | ((NEE == NE) << 4)
        | ((NEE == N) << 5) | ((NWW == NW) << 6) | ((NWW == W) << 7) | ((NNW == NW) << 8)
        | ((NNW == N) << 9) | ((NNEE == NE) << 10) | ((NNEE == NEE) << 11) | ((NNN == NN) << 12)
        | ((WWW == WW) << 13) | ((NE3 == NEE) << 14)
    )  # fmt: skip
    row, column = y - 3, x - _MARGIN
    pair = _mix(W, N)
    four = _mix(_mix(pair, NE), NW)
    context[0] = _mix(four, (row * 16 // h) * 8 + min(run, 7))
    context[1] = _mix(pair, (row * 12 // h) * 16 + column * 16 // w)
    context[2] = _mix(_mix(pair, NE), (east[x] * 16 + west[x]) * 16 + min(run, 15))
    context[3] = _mix(_mix(pair, NN), (south[x] * 32 + near) * 16 + east[x])
    if near == 31 and shape == 32767:
        return near, True
    NNWW, NE4 = g[y - 2, x - 2], g[y - 1, x + 4]
    wide = (
        (NN == W) | ((NNW == W) << 1) | ((NNE == W) << 2) | ((NNWW == NNW) << 3)
        | ((NNWW == NWW) << 4) | ((NE4 == NE3) << 5) | ((NNN == W) << 6) | ((NEE == W) << 7)
        | ((NE3 == N) << 8)
    )  # fmt: skip
    path = _boundary(g, y, x)
    context[4] = four
    context[5] = _mix(_mix(four, NN), WW)
    context[6] = _mix(_mix(_mix(context[5], NEE), NNE), _mix(NWW, NNW))
    context[7] = _mix(near * 32768 + shape, W)
    context[8] = _mix(near * 32768 + shape, wide + 32)
    context[9] = _mix(near * 1024 + (shape & 1023), W)
    context[10] = _mix(near * 128 + (shape & 127), (run * 16 + east[x]) * 16 + south[x])
    context[11] = _mix(path, near)
    context[12] = _mix(path // 11, _mix(pair, NE))
    return near, False


@compiled()
def _walk(
    cells: np.ndarray,
    buffer: np.ndarray,
    decoding: bool,
    counters: np.ndarray,
    weights: np.ndarray,
    rate: int,
    max_count: int,
) -> int:
    """Code all `cells` [h, w] (symbols 0..19), adapting `counters` and `weights` in place.

    Returns the bytes of `buffer` written, or -1 when it is too small. Bounded work: at most
    nine decisions a cell, whatever the data.
    """
    h, w = cells.shape
    g = np.full((h + 3, w + 2 * _MARGIN), _OUTSIDE, np.int64)
    east, west = np.zeros(w + 2 * _MARGIN, np.int64), np.zeros(w + 2 * _MARGIN, np.int64)
    south = np.zeros(w + 2 * _MARGIN, np.int64)
    context, slot = np.zeros(CONTEXTS, np.int64), np.zeros(CONTEXTS, np.int64)
    x_in = np.zeros(CONTEXTS + 1, np.int64)
    x_in[CONTEXTS] = 256
    candidates = np.zeros(4, np.int64)
    coder = start(buffer, decoding)
    for y in range(3, h + 3):
        run = 0
        for x in range(_MARGIN, w + _MARGIN):
            run = min(run + 1, 31) if g[y, x - 1] == g[y, x - 2] else 0
            near, uniform = _contexts(g, y, x, run, east, west, south, context)
            used = _UNIFORM_CONTEXTS if uniform else CONTEXTS
            candidates[0], candidates[1] = g[y, x - 1], g[y - 1, x]
            candidates[2], candidates[3] = g[y - 1, x + 1], g[y - 1, x - 1]
            symbol: Any = np.int64(cells[y - 3, x - _MARGIN])
            question, node = 0, 1
            while node < 32:
                if question < 4:
                    refused = candidates[question] == _OUTSIDE
                    for k in range(question):
                        refused |= candidates[k] == candidates[question]
                    if refused:
                        question += 1
                        continue
                    bit = 1 if symbol == candidates[question] else 0
                    key = question
                    first = question * 32 + near
                    second = 160 + question * 21 + candidates[0]
                    third = 249 + question * 16 + min(run, 15)
                else:
                    depth = 0
                    while node >> (depth + 1):
                        depth += 1
                    bit = (symbol >> (4 - depth)) & 1
                    key, first, second, third = 8 + node, 128 + node, 244 + depth, 313 + depth
                for q in range(used):
                    slot[q] = _mix(context[q], key * 16 + q) & (counters.shape[1] - 1)
                    x_in[q] = STRETCH[np.int64(counters[q, slot[q]]) >> 18]
                fourth = 382
                if not uniform:
                    trust = 0
                    for q in range(6, 9):
                        trust = trust * 4 + _TRUST[np.int64(counters[q, slot[q]]) & 1023]
                    fourth = 318 + trust
                for q in range(used, CONTEXTS):
                    x_in[q] = 0
                total = 0
                for q in range(CONTEXTS + 1):
                    weight = np.int64(weights[first, q]) + weights[second, q]
                    total += x_in[q] * (weight + weights[third, q] + weights[fourth, q])
                p = SQUASH[min(max(total >> 16, -REACH), REACH) + REACH]
                bit = code_bit(coder, buffer, decoding, bit, p)
                error = ((bit << 16) - p) * rate
                for q in range(CONTEXTS + 1):
                    change = (x_in[q] * error + (1 << 23)) >> 24
                    weights[first, q] += change
                    weights[second, q] += change
                    weights[third, q] += change
                    weights[fourth, q] += change
                for q in range(used):
                    state: Any = np.int64(counters[q, slot[q]])
                    count, probability = state & 1023, state >> 10
                    probability += (((bit << 22) - bit - probability) * RATE[count]) >> 16
                    counters[q, slot[q]] = (probability << 10) | min(count + 1, max_count)
                if question == 4:
                    node = node * 2 + bit
                elif bit:
                    symbol = candidates[question]
                    break
                else:
                    question += 1
            if node >= 32:
                symbol = min(node - 32, _OUTSIDE - 1)
            if not decoding and coder[3] + 24 > buffer.size:
                return -1
            g[y, x] = symbol
            cells[y - 3, x - _MARGIN] = symbol
        for x in range(_MARGIN, w + _MARGIN):
            south[x] = min(south[x] + 1, 12) if g[y, x] == g[y - 1, x] else 0
            west[x] = min(west[x - 1] + 1, 12) if g[y, x] == g[y, x - 1] else 0
        for x in range(w + _MARGIN - 1, _MARGIN - 1, -1):
            east[x] = min(east[x + 1] + 1, 12) if g[y, x] == g[y, x + 1] else 0
    return 0 if decoding else finish(coder, buffer)


def encode(labels: np.ndarray, prior: Prior, limit: int | None = None) -> bytes | None:
    """Code `labels` uint8 [h, w] (trainId, 255 void) exactly; None if it takes over `limit` bytes.

    Raises SemcomError for a label out of the label space or a map of no or too many cells.
    """
    height, width = labels.shape
    _check_size(height, width)
    cells = _TO_SYMBOL[labels]
    if (cells == _OUTSIDE).any():
        raise SemcomError(
            f"The label map holds {labels[cells == _OUTSIDE][0]}, which is no class: "
            f"labels are 0 to {len(CLASSES) - 1}, or {VOID} for void."
        )
    most = 18 * cells.size if limit is None else limit
    buffer = np.empty(max(most, 0) + 32, np.uint8)
    size = _code(cells, buffer, False, prior)
    return None if size < 0 or size > most else buffer[:size].tobytes()


def decode(data: bytes, height: int, width: int, prior: Prior) -> np.ndarray:
    """The labels uint8 [height, width] that `encode` was given; `prior` must be the same.

    Damaged data gives some other map of valid labels. Raises SemcomError for a bad size.
    """
    _check_size(height, width)
    cells = np.zeros((height, width), np.uint8)
    _code(cells, np.frombuffer(data, np.uint8).copy(), True, prior)
    return _TO_LABEL[cells]


def learn(labels: np.ndarray, prior: Prior, rate: int) -> None:
    """Let `prior` itself adapt to `labels`, its weights at `rate`: one step of training."""
    cells = _TO_SYMBOL[labels]
    buffer = np.empty(18 * cells.size + 32, np.uint8)
    scale = scale_of(labels.shape[0])
    counters, weights = prior.counters[scale], prior.weights[scale]
    _walk(cells, buffer, False, counters, weights, rate, _TRAIN_COUNT)


def _code(cells: np.ndarray, buffer: np.ndarray, decoding: bool, prior: Prior) -> int:
    scale = scale_of(cells.shape[0])
    counters, weights = prior.counters[scale].copy(), prior.weights[scale].copy()
    return _walk(cells, buffer, decoding, counters, weights, prior.rate, _CODE_COUNT)


def _check_size(height: int, width: int) -> None:
    if not (height > 0 and width > 0 and height * width <= MAX_CELLS):
        raise SemcomError(
            f"A label map of {width}x{height} cells cannot be coded: give 1 to {MAX_CELLS} cells."
        )
