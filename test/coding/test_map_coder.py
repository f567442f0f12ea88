# SPDX-License-Identifier: Apache-2.0
"""The map coder: exact, bounded, small, and the same on every machine."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from semcom_ros.coding import map_coder, map_prior, mixing
from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, VOID

SYMBOLS = np.array([*range(len(CLASSES)), VOID], np.uint8)
GOLDEN = (
    "a853e9ae4fc77fa4fe28cd847b9f9db77f01ee315a5142164b5e947f5e0d5b7f383d90ffbac7e7ae"
    "57353e83c5c51eddaca77b14"
)
"""`street(32, 64)` coded without a prior."""


@pytest.fixture(scope="module")
def scratch() -> map_prior.Prior:
    return map_prior.scratch()


def street(height: int, width: int) -> np.ndarray:
    """A street of integers alone: sky, buildings, road, sidewalk, poles, two cars."""
    y, x = np.mgrid[:height, :width]
    y, x = y * 256 // height, x * 512 // width
    labels = np.full((height, width), 10, np.uint8)
    labels[y > 60 + (x // 64 % 3) * 25] = 2
    labels[y > 130] = 1
    labels[(y > 130) & (abs(x - 256) < y - 110)] = 0
    labels[(x % 97 < 4) & (y > 50) & (y < 150)] = 5
    labels[((x - 180) ** 2 + 2 * (y - 150) ** 2) < 900] = 13
    labels[((x - 330) ** 2 + 3 * (y - 170) ** 2) < 1600] = 13
    return labels


def maps() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    stripes = np.zeros((40, 80), np.uint8)
    stripes[:, ::2] = 7
    return {
        "noise": SYMBOLS[rng.integers(0, 20, (24, 48))],
        "void": np.full((32, 64), VOID, np.uint8),
        "stripes": stripes,
        "one cell": np.array([[18]], np.uint8),
        "one row": SYMBOLS[rng.integers(0, 20, (1, 33))],
        "one column": SYMBOLS[rng.integers(0, 20, (33, 1))],
        "street": street(64, 128),
    }


@pytest.mark.parametrize("name", maps())
def test_every_map_comes_back_exactly(name: str, scratch: map_prior.Prior) -> None:
    labels = maps()[name]
    data = map_coder.encode(labels, scratch)
    assert np.array_equal(map_coder.decode(data, *labels.shape, scratch), labels)


def test_coding_leaves_the_prior_as_it_was(scratch: map_prior.Prior) -> None:
    first = map_coder.encode(street(64, 128), scratch)
    assert map_coder.encode(street(64, 128), scratch) == first


def test_two_machines_write_the_same_bytes(scratch: map_prior.Prior) -> None:
    assert map_coder.encode(street(32, 64), scratch).hex() == GOLDEN


def test_the_logistic_tables_are_the_same_everywhere() -> None:
    tables = mixing.SQUASH.astype("<i8").tobytes() + mixing.STRETCH.astype("<i8").tobytes()
    assert hashlib.sha256(tables).hexdigest()[:16] == "620cbc8f1198626c"


def test_a_street_takes_few_bytes_even_without_a_prior(scratch: map_prior.Prior) -> None:
    assert len(map_coder.encode(street(256, 512), scratch)) < 180


def test_learning_makes_a_map_smaller() -> None:
    prior = map_prior.scratch()
    before = len(map_coder.encode(street(64, 128), prior))
    map_coder.learn(street(64, 128)[:, ::-1], prior, 500)
    assert len(map_coder.encode(street(64, 128), prior)) < 0.8 * before


@pytest.mark.parametrize("size", [0, 1, 5, 40])
def test_damaged_data_gives_some_valid_map(size: int, scratch: map_prior.Prior) -> None:
    labels = street(64, 128)
    data = map_coder.encode(labels, scratch)
    rng = np.random.default_rng(size)
    for damaged in (data[:size], rng.bytes(size), b"\xff" * size, data[:size] + rng.bytes(40)):
        decoded = map_coder.decode(damaged, 64, 128, scratch)
        assert decoded.shape == (64, 128)
        assert np.isin(decoded, SYMBOLS).all()


def test_a_code_over_its_limit_is_given_up(scratch: map_prior.Prior) -> None:
    labels = street(64, 128)
    size = len(map_coder.encode(labels, scratch))
    assert map_coder.encode(labels, scratch, size) is not None
    assert map_coder.encode(labels, scratch, size - 1) is None


def test_what_is_no_label_map_is_refused(scratch: map_prior.Prior) -> None:
    with pytest.raises(SemcomError, match="holds 40"):
        map_coder.encode(np.full((4, 8), 40, np.uint8), scratch)
    for size in ((0, 8), (1 << 12, 1 << 12)):
        with pytest.raises(SemcomError, match="cells"):
            map_coder.decode(b"", *size, scratch)


def test_a_stored_prior_codes_as_well_as_the_learned_one(tmp_path) -> None:
    learned = map_prior.scratch()
    map_coder.learn(street(64, 128)[:, ::-1], learned, 500)
    map_prior.save_prior(tmp_path, learned, {})
    loaded, name = map_prior.load_prior(tmp_path)
    assert len(name) == 8
    stored = map_coder.encode(street(64, 128), loaded)
    assert len(stored) < 1.2 * len(map_coder.encode(street(64, 128), learned))
    assert np.array_equal(map_coder.decode(stored, 64, 128, loaded), street(64, 128))


def test_an_altered_prior_is_refused(tmp_path) -> None:
    map_prior.save_prior(tmp_path, map_prior.scratch(), {})
    path = tmp_path / map_prior.FILE
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(SemcomError, match="hash differs"):
        map_prior.load_prior(tmp_path)
