# SPDX-License-Identifier: Apache-2.0
"""Recipes as a user runs them: the best is kept, runs go on, and any device will do."""

from __future__ import annotations

import argparse
import json
import shutil
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import torch
from another_device import another_device

from semcom_ros import weights
from semcom_ros.cli import COMMANDS, find, main
from semcom_ros.codecs.gesco import shared
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.sqgan import shared as sqgan_shared
from semcom_ros.codecs.sqgan.paper import inference
from semcom_ros.coding import map_prior
from semcom_ros.errors import SemcomError
from semcom_ros.lab import learned_denoiser
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.training import data, judge, segmenter
from semcom_ros.lab.training.gesco import received
from semcom_ros.lab.training.gesco import training as gesco
from semcom_ros.lab.training.gesco.denoiser import DenoiserTraining
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.perception import training as perception
from semcom_ros.lab.training.sqgan import batches
from semcom_ros.lab.training.sqgan import training as sqgan
from semcom_ros.layers.residual import ConvNorm
from semcom_ros.perception import perceive, segmentation

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPES = (
    shared.DIFFUSION_RECIPE,
    shared.RESTORER_RECIPE,
    shared.THUMBNAIL_RECIPE,
    sqgan_shared.RECIPE,
    map_prior.RECIPE,
    learned_denoiser.RECIPE,
    judge.RECIPE,
    perceive.RECIPE,
    segmentation.RECIPE,
    shared.PAPER_RECIPE,
    networks.recipe("witt", full=True),
    inference.recipe_of("map"),
)


class TinyNetwork(torch.nn.Sequential):
    def __init__(self):
        super().__init__(ConvNorm(1, 8), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 1))

    def forward(self, x):
        return super().forward(x)


class TinyTraining(Training):
    """Learns absolute values; its noise is drawn on the device."""

    name, what, out = "tiny", "absolute values", Path("tiny.safetensors")
    steps, batch, rate, scenes = 60, 2, 0.02, 0
    best_by, warm_up, checkpoints = "accuracy", 1, 3
    stop_at = None

    def begin(self):
        numbers = np.random.default_rng(0).standard_normal((16, 1, 8, 8), np.float32)
        noise = partial(np.random.Generator.normal, scale=1e-3)
        self.batches = data.Batches(
            [(numbers, 1.0)], 2, self.args.seed, lambda x, rng: x + np.float32(noise(rng))
        )
        self.held_out = torch.from_numpy(numbers).to(self.device)
        self.learn(TinyNetwork(), decay=0.9, weight_decay=0.01)

    def update(self, batch, step):
        if step == self.stop_at:
            raise KeyboardInterrupt
        found = self.network((batch + 1e-3 * torch.randn_like(batch)).bfloat16()).float()
        loss = (found - batch.abs()).square().mean()
        loss.backward()
        return {"loss": loss, "gradient": self.optimise(step)}

    def score(self):
        with torch.no_grad():
            error = self.average(self.held_out) - self.held_out.abs()
        return {"accuracy": -float(error.square().mean())}

    def card(self):
        return {"data": "numbers", "scores": {"on": "the same"}}


@pytest.fixture
def tiny(tmp_path):
    parser = argparse.ArgumentParser()
    TinyTraining.add_arguments(parser)

    def run(name, *words, kind=TinyTraining):
        places = ["--out", f"{tmp_path}/{name}.safetensors", "--log", f"{tmp_path}/{name}.jsonl"]
        kind.run(parser.parse_args(["--camvid", "none", "--workers", "0", *places, *words]))
        log = (tmp_path / f"{name}.jsonl").read_text().splitlines()
        card = json.loads((tmp_path / f"{name}.json").read_text())
        tensors, _ = weights.load(tmp_path / f"{name}.safetensors", "")
        return tensors, card, [json.loads(line) for line in log]

    return run


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_network_learns_in_half_precision_and_the_best_is_kept(tiny):
    _, card, log = tiny("whole")
    assert [line["step"] for line in log] == [20, 40, 50, 60]
    assert log[-1]["loss"] < log[0]["loss"] / 2
    best = max(log, key=lambda line: line.get("accuracy", -1))
    assert card["updates"] == best["step"]
    assert card["scores"]["accuracy"] == pytest.approx(best["accuracy"], abs=1e-4)
    assert card["recipe"].startswith("semcom train tiny --camvid DIR")
    assert "--rate 0.02" in card["recipe"]
    assert "device" not in card["recipe"] and "workers" not in card["recipe"]


def test_a_run_that_learns_nothing_more_ends(tiny):
    with pytest.raises(SemcomError, match="updates in a row were not finite"):
        tiny("lost", "--rate", "nan")


@pytest.mark.parametrize("stop", [25, 41])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_never_stopped(tiny, stop, monkeypatch):
    whole, card, log = tiny("whole")
    monkeypatch.setattr(TinyTraining, "stop_at", stop)
    with pytest.raises(KeyboardInterrupt):
        tiny("stopped")
    monkeypatch.setattr(TinyTraining, "stop_at", None)
    resumed, resumed_card, resumed_log = tiny("stopped", "--resume")
    assert same(whole, resumed)
    assert card["scores"] == resumed_card["scores"]
    told = [[line | {"minutes": 0} for line in lines] for lines in (log, resumed_log)]
    assert told[0] == told[1]
    with pytest.raises(SemcomError, match="is at its end"):
        tiny("stopped", "--resume")
    with pytest.raises(SemcomError, match="its seed is 0, not 1"):
        tiny("stopped", "--resume", "--seed", "1")
    with pytest.raises(SemcomError, match="no state"):
        tiny("other", "--resume")


def test_batches_made_in_processes_are_the_same(tiny):
    assert same(tiny("here")[0], tiny("elsewhere", "--workers", "2")[0])


def test_a_compiled_network_learns_the_same(tiny, monkeypatch):
    counted = []

    def compiled(function):
        counted.append(function)
        return torch._dynamo.optimize("aot_eager")(function)

    monkeypatch.setattr(torch, "compile", compiled)
    one, other = (tiny("as_it_is")[0], tiny("compiled", "--compile")[0])
    assert len(counted) == 1
    for name, tensor in one.items():
        np.testing.assert_allclose(tensor, other[name], atol=2e-2)


def test_a_run_begins_from_weights_of_its_own_classes(tiny, tmp_path):
    tiny("before", "--steps", "5")
    start = tmp_path / "before.safetensors"
    _, card, _ = tiny("after", "--start", str(start), "--steps", "1")
    assert card["start"]["recipe"].endswith("--seed 0") and "--start FILE" in card["recipe"]
    told = json.loads(start.with_suffix(".json").read_text()) | {"classes": ["road"]}
    start.with_suffix(".json").write_text(json.dumps(told))
    with pytest.raises(SemcomError, match="its classes are not those"):
        tiny("after", "--start", str(start))


@pytest.fixture
def train(small_camvid, tmp_path, monkeypatch):
    """Runs `semcom train` with narrow networks on four small frames, for one update."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(weights.models_dir(), "models")
    monkeypatch.setattr(segmenter, "TOWN_FRAMES", 1)
    monkeypatch.setattr(batches, "UNSEEN_SCENES", 1)
    monkeypatch.setattr(received, "CROP", (64, 128))
    small = {"half": 8, "conditions": (8,) * 4, "widths": (8,) * 4, "blocks": (1,) * 4}
    monkeypatch.setattr(gesco, "DiffusionNetwork", partial(DiffusionNetwork, **small))
    for name in ("MAP_SIZES", "IMAGE_SIZES"):
        monkeypatch.setattr(sqgan, name, {"widths": (8, 8, 32), "depth": 1})
    frames = perception.frames_with_truth
    monkeypatch.setattr(
        perception, "frames_with_truth", lambda spec, split, at: frames(spec, split, at[:1])
    )

    def run(*words):
        where = ["--camvid", small_camvid.partition(":")[2], "--scenes", "1"]
        assert main(["train", *words, *where]) == 0

    return run


SQGAN = "--adversarial-from 0 --crop 64 128 --map-tokens 1 --stage"
LEARNED = {
    "segmenter": ["--widths 8 8 8 8"],
    "denoiser": [""],
    "reader": ["--network fcn", "--network deeplab"],
    "perception": ["--start models/perception.safetensors"],
    "gesco": ["--adversarial-from 0"],
    "sqgan": [f"{SQGAN} {stage}" for stage in ("map", "image", "tune")],
}
"""Runs of every recipe that trains, one after the other."""


def test_another_device_is_as_strict_as_a_gpu():
    with another_device() as device:
        there = torch.ones(2, device=device)
        assert float((there + 1).sum()) == 4
        with pytest.raises(RuntimeError, match="of the CPU"):
            there + torch.ones(2)


@pytest.mark.parametrize("device", ["another", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("name", LEARNED)
def test_every_recipe_runs_on_another_device(name, device, train):
    with another_device() if device == "another" else nullcontext(device) as there:
        for options in LEARNED[name]:
            train(name, *f"--device {there} --batch 1 --steps 1 --workers 0 {options}".split())


def parsed(line):
    """The options of a command as a card or an error tells it."""
    words = line.split()[1:]
    name = find(words)
    parser = argparse.ArgumentParser(exit_on_error=False)
    resolve_name(f"semcom_ros.lab.{COMMANDS[name].module}").add_arguments(parser)
    return parser.parse_args(words[len(name.split()) :])


@pytest.mark.parametrize("card", sorted(weights.models_dir().glob("*.json")), ids=lambda p: p.stem)
def test_every_card_tells_a_command_that_can_be_typed(card):
    told = json.loads(card.read_text())
    lines = told["recipe"] if isinstance(told["recipe"], list) else [told["recipe"]]
    for line in [*lines, *filter(None, [told.get("split_recipe")])]:
        assert parsed(line)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_error_tells_a_command_that_can_be_typed(recipe):
    assert parsed(recipe)


def test_statistics_are_measured_and_scored(train):
    train("thumbnail")
    train("map")
    for name in ("gesco_thumbnail", "gesco_map"):
        card = json.loads(Path(f"models/{name}.json").read_text())
        assert "and 1 frames of the procedural drive" in card["data"]
        assert "--scenes 1" in card["recipe"]
    assert card["scores"]["true 32x64"] > 0


@pytest.mark.cuda
def test_a_run_on_a_gpu_goes_on_where_it_stopped(tiny, monkeypatch):
    whole, *_ = tiny("whole", "--device", "cuda")
    monkeypatch.setattr(TinyTraining, "stop_at", 25)
    with pytest.raises(KeyboardInterrupt):
        tiny("stopped", "--device", "cuda")
    monkeypatch.setattr(TinyTraining, "stop_at", None)
    resumed, *_ = tiny("stopped", "--device", "cuda", "--resume")
    for name, tensor in whole.items():
        np.testing.assert_allclose(tensor, resumed[name], atol=2e-2)


@pytest.mark.parametrize(
    ("words", "log"),
    [
        ((), "out/train/denoiser.jsonl"),
        (("--network", "sunet"), "out/train/denoiser_sunet.jsonl"),
        (("--network", "sunet", "--log", "own.jsonl"), "own.jsonl"),
    ],
)
def test_networks_of_one_recipe_keep_states_apart_unless_a_log_is_named(words, log, monkeypatch):
    monkeypatch.setattr(DenoiserTraining, "begin", lambda self: None)
    parser = argparse.ArgumentParser()
    DenoiserTraining.add_arguments(parser)
    args = parser.parse_args(["--camvid", "none", *words])
    DenoiserTraining(args)
    assert args.log == Path(log)
