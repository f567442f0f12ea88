# SPDX-License-Identifier: Apache-2.0
"""Grids of a label map: pooled, brought back, and the finest that fits a budget."""

from __future__ import annotations

import numpy as np
import pytest
from test_map_coder import street

from semcom_ros.coding.grids import GRIDS, decode_map, fit_to, pool, upsample
from semcom_ros.coding.map_prior import Prior, scratch
from semcom_ros.errors import SemcomError
from semcom_ros.labels import VOID

SIZE = (256, 512)


@pytest.fixture(scope="module")
def prior() -> Prior:
    return scratch()


def test_the_ladder_runs_from_full_size_down_in_one_shape() -> None:
    assert GRIDS[0] == SIZE
    assert list(GRIDS) == sorted(GRIDS, reverse=True)
    assert all(w == 2 * h for h, w in GRIDS)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_map_of_one_label_stays_so_on_every_grid(grid: tuple[int, int]) -> None:
    cells = pool(np.full(SIZE, VOID, np.uint8), grid)
    labels, certainty = upsample(cells, SIZE)
    assert cells.shape == grid and (cells == VOID).all()
    assert labels.shape == SIZE and (labels == VOID).all() and (certainty == 255).all()


def test_a_cell_takes_the_label_that_covers_most_of_it() -> None:
    labels = np.zeros((4, 8), np.uint8)
    labels[:2, :4] = [[2, 2, 0, 0], [2, 0, 8, 8]]
    assert pool(labels, (2, 4))[0].tolist() == [2, 0, 0, 0]


def test_a_thin_pole_outlives_a_coarser_grid() -> None:
    labels = np.full((8, 16), 2, np.uint8)
    labels[:, 6] = 5
    assert (pool(labels, (4, 8))[:, 3] == 5).all()


def test_boundaries_come_back_smooth_and_uncertain() -> None:
    cells = np.zeros((4, 8), np.uint8)
    cells[:, 4:] = 13
    labels, certainty = upsample(cells, (32, 64))
    assert (labels[:, :32] == 0).all() and (labels[:, 32:] == 13).all()
    assert certainty[:, 31].max() < 150 and (certainty[:, :24] == 255).all()


def test_full_size_is_lossless(prior: Prior) -> None:
    labels = street(*SIZE)
    decoded, certainty = decode_map(fit_to(labels, 4000, prior), SIZE, prior)
    assert np.array_equal(decoded, labels) and (certainty == 255).all()


def test_a_larger_budget_never_gives_a_coarser_grid(prior: Prior) -> None:
    labels = street(*SIZE)
    places = []
    for budget in (110, 180, 260, 340):
        data = fit_to(labels, budget, prior)
        assert len(data) <= budget
        places.append(data[0])
    assert places == sorted(places, reverse=True) and places[0] > places[-1]


def test_a_budget_too_small_names_the_bytes_needed(prior: Prior) -> None:
    for budget in (5, 0, -80):
        with pytest.raises(SemcomError, match=rf"takes \d+ bytes .* and {budget} are left"):
            fit_to(street(*SIZE), budget, prior)


@pytest.mark.parametrize("data", [b"", bytes([len(GRIDS)]), b"\xff\x00"])
def test_data_that_names_no_grid_is_refused(data: bytes, prior: Prior) -> None:
    with pytest.raises(SemcomError, match="grid's number"):
        decode_map(data, SIZE, prior)


def test_real_streets_come_back_exactly(camvid, prior: Prior) -> None:
    from semcom_ros.datasets import open_source
    from semcom_ros.frame import fit

    source = open_source(f"camvid:{camvid}", "val")
    for index in (0, 60):
        labels = fit(source[index]).labels
        decoded, _ = decode_map(fit_to(labels, 4000, prior), SIZE, prior)
        assert np.array_equal(decoded, labels)
