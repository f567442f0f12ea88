# SPDX-License-Identifier: Apache-2.0
"""Tokens of SQ-GAN: they come back exactly, in order of relevance, and any bytes decode."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semcom_ros.codecs.sqgan import token_coder, token_prior
from semcom_ros.codecs.sqgan.code_cells import SLACK, CodeState, code_cells
from semcom_ros.codecs.sqgan.shared import CODEWORDS, IMAGE_LAYERS, LATENT_GRID, MAP_LAYERS
from semcom_ros.codecs.sqgan.token_prior import COUNTERS, SETS, UNKNOWN, TokenPrior
from semcom_ros.lab.training.sqgan.pack import ordered

PRIOR = token_prior.scratch()
OVERHEAD = 10


def frame(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, indices and classes as of a street: blocks of a class, relevant in some of them."""
    rng = np.random.default_rng(seed)
    classes = np.kron(rng.integers(0, 19, (4, 8)), np.ones((4, 4), int)).astype(np.uint8)
    scores = rng.random(LATENT_GRID) + (classes % 3 == 0)
    indices = 50 * classes.astype(np.int64) + rng.integers(0, 50, LATENT_GRID)
    return scores, indices, classes


def most_relevant(scores: np.ndarray, count: int) -> np.ndarray:
    mask = np.zeros(scores.size, bool)
    mask[np.argsort(-scores.ravel(), kind="stable")[:count]] = True
    return mask.reshape(scores.shape)


@pytest.mark.parametrize("budget", [12, 60, 150, 300, 5000])
@pytest.mark.parametrize("layers", [IMAGE_LAYERS, MAP_LAYERS])
def test_what_fits_comes_back_exactly_and_is_the_most_relevant(
    budget: int, layers: tuple[int, ...]
) -> None:
    scores, indices, classes = frame()
    parts = token_coder.encode(scores, indices, classes, layers, budget, OVERHEAD, PRIOR)
    assert sum(len(part) + OVERHEAD for part in parts) <= budget
    kept, found = token_coder.decode(parts, classes, layers, PRIOR)
    assert np.array_equal(kept, most_relevant(scores, kept.sum()))
    assert np.array_equal(found[kept], indices[kept])
    assert kept.all() == (budget == 5000)


def test_a_budget_that_holds_no_token_gives_no_part() -> None:
    for budget in (-5, 0, OVERHEAD, OVERHEAD + 1):
        assert token_coder.encode(*frame(), IMAGE_LAYERS, budget, OVERHEAD, PRIOR) == []


def test_the_parts_of_a_smaller_budget_begin_those_of_a_larger_one() -> None:
    full = token_coder.encode(*frame(), IMAGE_LAYERS, 5000, OVERHEAD, PRIOR)
    assert len(full) == len(IMAGE_LAYERS)
    for budget in (100, 250, 400, 600):
        parts = token_coder.encode(*frame(), IMAGE_LAYERS, budget, OVERHEAD, PRIOR)
        assert parts[:-1] == full[: len(parts) - 1]


def test_a_lost_part_leaves_those_before_it() -> None:
    scores, indices, classes = frame()
    parts = token_coder.encode(scores, indices, classes, IMAGE_LAYERS, 5000, OVERHEAD, PRIOR)
    for lost, count in enumerate((0, *np.cumsum(IMAGE_LAYERS)[:-1])):
        received = [None if i == lost else part for i, part in enumerate(parts)]
        kept, found = token_coder.decode(received, classes, IMAGE_LAYERS, PRIOR)
        assert np.array_equal(kept, most_relevant(scores, count))
        assert np.array_equal(found[kept], indices[kept])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.binary(max_size=80), max_size=5), st.integers(0, 255))
def test_any_bytes_give_some_cells_and_indices(parts: list[bytes | None], label: int) -> None:
    classes = np.full(LATENT_GRID, label, np.uint8)
    kept, indices = token_coder.decode(parts, classes, IMAGE_LAYERS, PRIOR)
    assert kept.shape == indices.shape == LATENT_GRID
    assert indices.min() >= 0 and indices.max() < CODEWORDS
    assert kept.sum() <= sum(IMAGE_LAYERS)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(30, 900))
def test_any_frame_comes_back(seed: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, LATENT_GRID) / 4
    indices = rng.integers(0, rng.integers(2, CODEWORDS + 1), LATENT_GRID)
    classes = rng.integers(0, 256, LATENT_GRID).astype(np.uint8)
    parts = token_coder.encode(scores, indices, classes, IMAGE_LAYERS, budget, OVERHEAD, PRIOR)
    kept, found = token_coder.decode(parts, classes, IMAGE_LAYERS, PRIOR)
    assert np.array_equal(kept, most_relevant(scores, kept.sum()))
    assert np.array_equal(found[kept], indices[kept])


def test_statistics_and_the_maps_classes_make_tokens_smaller() -> None:
    learned = token_prior.scratch()
    for seed in range(1, 9):
        token_coder.learn(*frame(seed), IMAGE_LAYERS, 512, learned)
    stored = token_prior.restored(token_prior.stored(learned))
    scores, indices, classes = frame()

    def size(classes: np.ndarray, prior: token_prior.TokenPrior) -> int:
        return sum(
            map(len, token_coder.encode(scores, indices, classes, IMAGE_LAYERS, 5000, 0, prior))
        )

    assert size(classes, stored) < 0.85 * size(classes, PRIOR)
    assert size(classes, stored) < size(np.full_like(classes, UNKNOWN), stored)
    assert size(classes, stored) < 1.05 * size(classes, learned)


@pytest.mark.parametrize("layers", [IMAGE_LAYERS, MAP_LAYERS])
def test_statistics_of_cut_frames_bring_more_cells_into_a_cut_payload(layers) -> None:
    whole, cut = token_prior.scratch(), token_prior.scratch()
    rng = np.random.default_rng(0)
    for seed in range(1, 33):
        token_coder.learn(*frame(seed), layers, 512, whole)
        token_coder.learn(*frame(seed), layers, int(rng.integers(1, 513)), cut)
    scores, indices, classes = frame()

    def kept(prior: TokenPrior) -> int:
        parts = token_coder.encode(scores, indices, classes, layers, 300, 0, prior)
        return int(token_coder.decode(parts, classes, layers, prior)[0].sum())

    assert kept(cut) > kept(whole)


def test_a_layer_of_unlikely_gaps_never_writes_past_its_buffer() -> None:
    # Counters and mixing that are sure of every cell, and a layer that has but the first and last.
    prior = TokenPrior(
        np.full(COUNTERS, 0xFFFFFFFF, np.uint32), np.full((SETS, 6), 65536, np.int32)
    )
    levels = np.zeros((LATENT_GRID[0] + 2, LATENT_GRID[1] + 2), np.int64)
    levels[1, 1] = levels[-2, -2] = 1
    memory = np.full(4096, 0xA5, np.uint8)
    buffer = memory[: 2 * SLACK]
    blank = np.zeros_like(levels)
    state = CodeState(levels, blank, blank, prior.counters, prior.weights)
    size = code_cells(buffer, False, 0, 512, state, 255)
    assert size == -1
    assert (memory[buffer.size :] == 0xA5).all()


def test_coding_leaves_the_prior_as_it_was() -> None:
    first = token_coder.encode(*frame(), IMAGE_LAYERS, 400, OVERHEAD, PRIOR)
    assert token_coder.encode(*frame(), IMAGE_LAYERS, 400, OVERHEAD, PRIOR) == first


def test_statistics_of_another_version_are_not_taken() -> None:
    stored = token_prior.stored(PRIOR)
    assert token_prior.restored({"counters": stored["counters"]}) is None
    assert token_prior.restored(stored | {"counters": stored["counters"][:-1]}) is None


def test_codewords_that_are_alike_share_the_upper_bits_of_their_indices() -> None:
    rng = np.random.default_rng(0)
    centres = 10 * rng.standard_normal((4, 6))
    cluster = rng.permutation(np.repeat(range(4), 16))
    codebook = centres[cluster] + 0.1 * rng.standard_normal((64, 6))
    places = ordered(codebook)
    assert sorted(places) == list(range(64))
    assert all(len(set(group)) == 1 for group in cluster[places].reshape(4, 16))
