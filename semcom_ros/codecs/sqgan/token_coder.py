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
from typing import NamedTuple

import numpy as np

from semcom_ros.codecs.sqgan.code_cells import SLACK, code_cells
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
    known, grid = _classes(classes), np.pad(indices.astype(np.int64), 1)
    coded = _Coded(np.zeros_like(known), prior.counters, prior.weights, b"")
    parts: list[bytes] = []
    for layer, end in enumerate(np.cumsum(layers)):
        left = budget - overhead
        cells = order[end - layers[layer] : end]
        attempt = partial(_attempt, coded, layer, layers[layer], grid, known, left)
        whole = attempt(cells)
        if whole is None:
            part = _longest(attempt, cells)
            return parts + ([part.data] if part else [])
        coded = whole
        parts.append(coded.data)
        budget = left - len(coded.data)
    return parts


class _Coded(NamedTuple):
    """What is known after a layer, and the layer's bytes."""

    levels: np.ndarray
    counters: np.ndarray
    mixing: np.ndarray
    data: bytes


def _attempt(
    before: _Coded,
    layer: int,
    most: int,
    indices: np.ndarray,
    classes: np.ndarray,
    left: int,
    cells: np.ndarray,
) -> _Coded | None:
    """Layer number `layer` with `cells`, or None where that takes more than `left` bytes."""
    levels, counters, mixing = before.levels.copy(), before.counters.copy(), before.mixing.copy()
    levels[1:-1, 1:-1].flat[cells] = layer + 1
    buffer = np.empty(max(left, 0) + 2 * SLACK, np.uint8)
    size = code_cells(
        buffer, False, layer, most, levels, indices.copy(), classes, counters, mixing, _CODE_COUNT
    )
    if not 0 <= size <= left:
        return None
    return _Coded(levels, counters, mixing, buffer[:size].tobytes())


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
    counters, mixing = prior.counters.copy(), prior.weights.copy()
    known = _classes(classes)
    levels, indices = np.zeros_like(known), np.zeros_like(known)
    for layer, (part, most) in enumerate(zip(parts, layers, strict=False)):
        if part is None:
            break
        buffer = np.frombuffer(part, np.uint8).copy()
        code_cells(buffer, True, layer, most, levels, indices, known, counters, mixing, _CODE_COUNT)
    return levels[1:-1, 1:-1] > 0, indices[1:-1, 1:-1].copy()


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
    known, grid = _classes(classes), np.pad(indices.astype(np.int64), 1)
    levels = np.zeros_like(known)
    buffer = np.empty(SLACK * scores.size, np.uint8)
    for layer, end in enumerate(np.cumsum(layers)):
        cells = order[end - layers[layer] : min(end, count)]
        if not len(cells):
            break
        levels[1:-1, 1:-1].flat[cells] = layer + 1
        code_cells(
            buffer, False, layer, layers[layer], levels, grid, known, prior.counters, prior.weights,
            _TRAIN_COUNT,
        )  # fmt: skip


def _classes(classes: np.ndarray) -> np.ndarray:
    return np.pad(SYMBOL[classes].astype(np.int64), 1, constant_values=UNKNOWN)
