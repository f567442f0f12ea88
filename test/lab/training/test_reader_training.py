# SPDX-License-Identifier: Apache-2.0
"""Readers of pictures: FCN, DeepLab and the judge's form, at equal operations, by one recipe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from semcom_ros.cli import main
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.reader_networks import FOLDER, READERS, RESNET_18, Deeplab, Fcn, load_reader
from semcom_ros.lab.training import segmenter
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.mixed_precision import MixedPrecision
from semcom_ros.lab.training.reader import ReaderTraining
from semcom_ros.lab.training.segmenter import CLASSES
from semcom_ros.lab.training.street_pack import write_set

pytestmark = pytest.mark.usefixtures("one_thread")


def operations(network: torch.nn.Module) -> float:
    """GFLOP at 256x512; the network has no memory behind it."""
    image = torch.zeros(1, 3, 256, 512, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(image)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize("name", READERS)
def test_readers_are_twins_of_five_and_a_half_gflop(name: str) -> None:
    with torch.device("meta"):
        assert operations(READERS[name](len(CLASSES))) == pytest.approx(5.5, rel=0.02)


def test_at_resnet_18s_width_they_have_its_parameters_and_their_heads() -> None:
    """ResNet-18 has 11,176,512 without its classifier (He et al. 2016); on top the heads."""
    with torch.device("meta"):
        fcn, deeplab = Fcn(RESNET_18, 19), Deeplab(RESNET_18, 256, 19)
    counts = [sum(p.numel() for p in one.parameters()) for one in (fcn, deeplab)]
    trunk, join = 11_176_512, 256 * 5 * 256 + 512
    branches = (512 * 256 + 512) + 3 * (9 * 512 * 256 + 512) + (512 * 256 + 256)
    assert counts == [trunk + 513 * 19, trunk + branches + join + 257 * 19]


def test_deeplabs_gradients_are_finite_on_a_processor_at_the_size_of_its_crops() -> None:
    trainer = MixedPrecision(READERS["deeplab"](19), torch.device("cpu"), 0.9, 0.01)
    kernels = (m for m in trainer.network.modules() if isinstance(m, torch.nn.Conv2d))
    wide = [m for m in kernels if max(m.dilation) > 1]
    assert len(wide) == 10 and {m.weight.dtype for m in wide} == {torch.float32}
    images = torch.rand(2, 3, *segmenter.CROP, dtype=torch.bfloat16)
    trainer.network(images).square().mean().backward()
    assert trainer.step(1e-3).isfinite()


@pytest.mark.parametrize("name", ["fcn", "deeplab"])
def test_one_recipe_trains_them_and_a_study_reads_by_what_it_made(
    name: str, small_camvid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(segmenter, "TOWN_FRAMES", 1)
    monkeypatch.setattr(segmenter, "CROP", (32, 64))
    monkeypatch.setattr(ReaderTraining, "checkpoints", 2)
    words = f"train reader --network {name} --camvid {small_camvid.partition(':')[2]} --scenes 1"
    assert main([*words.split(), *"--steps 20 --batch 2 --workers 0".split()]) == 0
    lines = Path(f"out/train/reader_{name}.jsonl").read_text().splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]
    path = Path(f"out/readers/{name}.safetensors")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["network"] == name and card["updates"] <= 20 and "--network" in card["recipe"]
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    readers = Readers(judge=path)
    labels = readers.judged(image)
    assert labels.shape == (64, 128) and set(np.unique(labels)) <= set(CLASSES)
    assert len(readers.mean_features(image)) and not readers.lacks("features")


@pytest.mark.parametrize("recipe", ["reader", "denoiser"])
def test_recipes_that_learn_from_camvid_take_a_pack_as_well(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(segmenter, "TOWN_FRAMES", 1)
    network = {"reader": "fcn", "denoiser": "small"}[recipe]
    monkeypatch.setattr(segmenter, "CROP", (32, 64))
    images = np.random.default_rng(0).integers(0, 255, (13, 96, 128, 3), np.uint8)
    Path("pack").mkdir()
    write_set(Path("pack/camvid"), Samples(images, images[..., 0] % 2), 30)
    few = f"--network {network} --batch 1 --steps 1 --workers 0 --scenes 1 --out made.safetensors"
    assert main(["train", recipe, "--pack", "pack", *few.split()]) == 0
    card = json.loads(Path("made.json").read_text())
    assert card["recipe"].startswith(f"semcom train {recipe} --pack DIR --scenes 1")
    assert "CamVid train, but for every 12th frame, which chose" in card["data"]
    assert "CamVid train" in card["scores"]["on"] and "val" not in card["scores"]["on"]


def test_weights_of_another_form_than_their_card_says_are_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "reader.safetensors"
    judge = Readers().judge_path
    path.write_bytes(judge.read_bytes())
    card = json.loads(judge.with_suffix(".json").read_text()) | {"network": "fcn"}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(SemcomError, match="made for another network"):
        _ = Readers(judge=path).judge


def test_a_reader_that_is_not_there_names_the_command_that_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SemcomError, match="semcom train reader --network fcn "):
        load_reader(FOLDER / "fcn.safetensors")
