# SPDX-License-Identifier: Apache-2.0
"""Coding of which latent vectors are kept, and of their indices, layer by layer.

The cells of the latent grid are ranked by relevance and cut into layers, the most relevant first.
A layer says which of the cells that are left are its own, each with the index of its codeword; it
is decodable once the layers before it are. Every binary decision is coded by the range coder of
maps, with a probability that mixes what adaptive counters have seen in five contexts: neighbours in
the grid, those of earlier layers on all sides, and the class that the received map has at the cell.
Everything is integer arithmetic, so that two machines agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from semcom_ros.codecs.sqgan.code_cells import SLACK, CodeState, code_cells
from semcom_ros.codecs.sqgan.token_prior import SYMBOL, UNKNOWN, TokenPrior

_TRAIN_COUNT, _CODE_COUNT = 1023, 255


def encode(
    scores: np.ndarray,
    indices: np.ndarray,
    classes: np.ndarray,
    layers: Sequence[int],
    budget: int,
    overhead: int,
    prior: TokenPrior,
) -> list[bytes]:
    """As many cells as fit into `budget` bytes, the highest scores first, layer by layer.

    scores: float [h, w]. indices: int [h, w]. classes: uint8 [h, w] trainId that both ends know at
    a cell, 255 void, or any other value where unknown. layers: cells of each, the last one all that
    are left. overhead: bytes that each layer takes besides.
    """
    order = np.argsort(-scores, axis=None, kind="stable")
    state = _begin(indices, classes, prior)
    parts: list[bytes] = []
    for layer, end in enumerate(np.cumsum(layers)):
        left = budget - overhead
        cells = order[end - layers[layer] : end]
        attempt = partial(_attempt, state, layer, layers[layer], left)
        whole = attempt(cells)
        if whole is None:
            part = _longest(attempt, cells)
            return parts + ([part[1]] if part else [])
        state, data = whole
        parts.append(data)
        budget = left - len(data)
    return parts


_Coded = tuple[CodeState, bytes]
"""What is known after a layer, and the layer's bytes."""


def _begin(indices: np.ndarray, classes: np.ndarray, prior: TokenPrior) -> CodeState:
    """Of nothing coded yet; with the counters and mixing of `prior` itself."""
    known = np.pad(SYMBOL[classes].astype(np.int64), 1, constant_values=UNKNOWN)
    grid = np.pad(indices.astype(np.int64), 1)
    return CodeState(np.zeros_like(known), grid, known, prior.counters, prior.weights)


def _copied(state: CodeState) -> CodeState:
    return CodeState(*(one.copy() for one in state))


def _attempt(
    before: CodeState, layer: int, most: int, left: int, cells: np.ndarray
) -> _Coded | None:
    """Layer number `layer` with `cells`, or None where that takes more than `left` bytes."""
    state = _copied(before)
    state.levels[1:-1, 1:-1].flat[cells] = layer + 1
    buffer = np.empty(max(left, 0) + 2 * SLACK, np.uint8)
    size = code_cells(buffer, False, layer, most, state, _CODE_COUNT)
    return (state, buffer[:size].tobytes()) if 0 <= size <= left else None


def _longest(attempt: Callable[[np.ndarray], _Coded | None], cells: np.ndarray) -> _Coded | None:
    """What the largest number of the first `cells` gives that fits, None where not one does."""
    best, low, high = None, 1, len(cells) - 1
    while low <= high:
        middle = (low + high) // 2
        found = attempt(cells[:middle])
        if found is None:
            high = middle - 1
        else:
            best, low = found, middle + 1
    return best


def decode(
    parts: Sequence[bytes | None],
    classes: np.ndarray,
    layers: Sequence[int],
    prior: TokenPrior,
) -> tuple[np.ndarray, np.ndarray]:
    """Which cells are kept, bool [h, w], and their indices int64 [h, w], from `encode`'s parts.

    A part that is None was lost: it and those after it are as if not sent. Damaged data gives some
    other cells and indices.
    """
    state = _copied(_begin(np.zeros_like(classes), classes, prior))
    for layer, (part, most) in enumerate(zip(parts, layers, strict=False)):
        if part is None:
            break
        buffer = np.frombuffer(part, np.uint8).copy()
        code_cells(buffer, True, layer, most, state, _CODE_COUNT)
    return state.levels[1:-1, 1:-1] > 0, state.indices[1:-1, 1:-1].copy()


def learn(
    scores: np.ndarray,
    indices: np.ndarray,
    classes: np.ndarray,
    layers: Sequence[int],
    count: int,
    prior: TokenPrior,
) -> None:
    """Let `prior` itself adapt to a frame of which `count` cells are kept: one step of training."""
    order = np.argsort(-scores, axis=None, kind="stable")
    state = _begin(indices, classes, prior)
    buffer = np.empty(SLACK * scores.size, np.uint8)
    for layer, end in enumerate(np.cumsum(layers)):
        cells = order[end - layers[layer] : min(end, count)]
        if not len(cells):
            break
        state.levels[1:-1, 1:-1].flat[cells] = layer + 1
        code_cells(buffer, False, layer, layers[layer], state, _TRAIN_COUNT)
