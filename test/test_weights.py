# SPDX-License-Identifier: Apache-2.0
"""Weights come back as they were saved, and nothing else passes for them."""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from semcom_ros import cli, weights
from semcom_ros.errors import SemcomError

RECIPE = "semcom train something"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.safetensors"
    tensors = {"w": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3), "n": np.array([7])}
    weights.save(path, tensors, {"label_space": "cityscapes19"})
    return path


def test_tensors_come_back_in_half_precision_with_their_card(file):
    tensors, card = weights.load(file, RECIPE)
    assert tensors["w"].dtype == np.float16 and tensors["w"].shape == (2, 3)
    np.testing.assert_allclose(tensors["w"].ravel(), np.linspace(-1, 1, 6), atol=1e-3)
    assert tensors["n"] == [7]
    assert (card["name"], card["parameters"]) == ("small", 7)


def test_kernels_in_bytes_take_half_and_come_back_but_for_rounding(tmp_path):
    drawn = np.random.default_rng(1)
    kernels = drawn.normal(size=(8, 16, 3, 3)) * 10.0 ** drawn.uniform(-3, 1, (8, 1, 1, 1))
    kernels[3] = 0
    made = {"w": kernels.astype(np.float32), "b": np.ones(8, np.float32)}
    card = {"label_space": "cityscapes19", "parameters": kernels.size + 8}
    whole, small = tmp_path / "whole.safetensors", tmp_path / "small.safetensors"
    weights.save(whole, made, card)
    subprocess.run(
        [sys.executable, "-m", "semcom_ros.cli", "weights", "pack", whole, "--out", small],
        check=True,
    )
    assert small.stat().st_size < 0.6 * whole.stat().st_size
    assert cli.main(["weights", "pack", str(whole), "--out", str(whole)]) == 2
    read, told = weights.load(small, RECIPE)
    assert read.keys() == made.keys() and told["parameters"] == card["parameters"]
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    assert (np.abs(read["w"] - kernels) <= largest / 200 + 1e-9).all()
    assert read["w"].dtype == np.float16 and (read["b"] == 1).all()


def test_a_missing_file_is_a_sentence_that_names_the_recipe(tmp_path):
    with pytest.raises(SemcomError, match=r"absent\.safetensors are missing.*semcom train"):
        weights.load(tmp_path / "absent.safetensors", RECIPE)


def test_a_missing_or_damaged_card_is_a_sentence(file):
    card = file.with_suffix(".json")
    card.write_text("{")
    with pytest.raises(SemcomError, match="is damaged"):
        weights.load(file, RECIPE)
    card.unlink()
    with pytest.raises(SemcomError, match="The card .* is missing"):
        weights.load(file, RECIPE)


def test_one_changed_byte_is_noticed(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(SemcomError, match="the hash differs"):
        weights.load(file, RECIPE)


def test_a_file_larger_than_its_card_can_mean_is_refused_before_it_is_read(file):
    with file.open("r+b") as sparse:
        sparse.truncate(12 * 10**9)
    tracemalloc.start()
    with pytest.raises(SemcomError, match="it has 12,000,000,000 bytes for 7 parameters"):
        weights.load(file, RECIPE)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_a_header_or_a_card_of_an_impossible_length_is_refused_unread(file):
    file.write_bytes(b"\xff" * 8 + file.read_bytes()[8:])
    with pytest.raises(SemcomError, match="its header would have 18,446,744,073,709,551,615 bytes"):
        weights.load(file, RECIPE)
    card = file.with_suffix(".json")
    with card.open("r+b") as sparse:
        sparse.truncate(10**9)
    with pytest.raises(SemcomError, match="is damaged"):
        weights.load(file, RECIPE)


def test_weights_of_another_network_are_refused_by_name(file):
    torch = pytest.importorskip("torch")
    tensors, _ = weights.load(file, RECIPE)
    with pytest.raises(SemcomError, match="made for another network"):
        weights.fill(torch.nn.Linear(3, 2), tensors, file)
