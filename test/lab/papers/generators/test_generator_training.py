# SPDX-License-Identifier: Apache-2.0
"""`semcom train generator` makes what a study takes, every generator by one recipe."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from another_device import another_device
from safetensors.torch import save_file

from semcom_ros.cli import main
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes
from semcom_ros.datasets.streams import Scenes
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import create_system
from semcom_ros.lab.papers.generators import learning, networks
from semcom_ros.lab.papers.generators.ccfpse import CcFpseGenerator
from semcom_ros.lab.papers.generators.control import ControlledDiffusion
from semcom_ros.lab.papers.generators.narrow_sdm import NarrowSdm
from semcom_ros.lab.papers.generators.painter import painter
from semcom_ros.lab.papers.generators.smis import SmisGenerator
from semcom_ros.lab.papers.generators.spade import SpadeGenerator
from semcom_ros.lab.papers.generators.training import ToPaint
from semcom_ros.lab.training import imagenet_features
from semcom_ros.lab.training.data import CAMVID_CLASSES, Samples
from semcom_ros.lab.training.perceptual import FeatureLoss
from semcom_ros.lab.training.street_pack import write_set
from semcom_ros.labels import VOID, fold
from semcom_ros.perception import segmentation
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")
NARROW = {"width": 4, "multipliers": (2, 2, 1), "shuffle": 2}
TINY = {
    "spade": partial(SpadeGenerator, hidden=4, **NARROW),
    "oasis": partial(SpadeGenerator, hidden=4, noises=2, **NARROW),
    "ccfpse": partial(CcFpseGenerator, hidden=4, **NARROW),
    "smis": partial(
        SmisGenerator, width=1, multipliers=(4, 4, 2, 1), groups=(1,), encoder=1, shuffle=2
    ),
    "sdm": lambda planes: NarrowSdm(
        GescoPaperSizes(32, (1, 1), 1, attention=(2,), head=32, hidden=4, planes=planes), 8
    ),
    "control": lambda classes: ControlledDiffusion(DiffusionNetwork(classes)),
    "gesco": DiffusionNetwork,
}


@pytest.fixture(scope="module")
def street():
    """A frame of the procedural drive, fitted."""
    return Scenes("3")[400]


FINE = partial(SpadeGenerator, width=4, multipliers=(2, 2, 1), hidden=4)
"""Hears the map pixel by pixel, as those published do."""


@pytest.mark.parametrize(
    ("name", "make"), [*TINY.items(), ("spade", FINE)], ids=[*TINY, "spade, every pixel"]
)
def test_updates_on_one_batch_lower_its_loss(name, make, street):
    torch.manual_seed(0)
    network = make(len(CAMVID_CLASSES))
    shares = painter(network, CAMVID_CLASSES).class_shares
    read = ToPaint(shares, 0.0, False, np.full((4, 8, 3), 0.5, np.float32))
    window = np.s_[64:192, 128:256]
    batch = read([(street.image[window], street.labels[window])] * 2, np.random.default_rng(0))
    kind = learning.LEARNING.get(name, learning.OnePassLearning)
    judge = learning.discriminator(name, len(CAMVID_CLASSES), full=False)
    learns = kind(network, judge, FeatureLoss(models_dir() / segmentation.FILE))

    def loss() -> float:
        # Noise, places and scales that are drawn are the same before and after.
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(1)
            return float(learns.objective(batch)[0])

    before = loss()
    for _ in range(3):
        seen = learns.update(batch, 2e-3, 0.05)
    assert loss() < before
    assert ("hinge" in seen) == (name != "sdm")


def test_noisy_maps_are_noisier_and_none_is_none(street):
    shares = painter(TINY["spade"](11), CAMVID_CLASSES).class_shares
    colours, drawn = np.zeros((4, 8, 3), np.float32), [(street.image, street.labels)] * 8
    clean, noisy, none = (
        ToPaint(shares, null, loud, colours)(drawn, np.random.default_rng(0)).class_shares
        for null, loud in ((0.0, False), (0.0, True), (1.0, False))
    )
    assert not none.any()
    apart = (clean - noisy).float().abs().mean((1, 2, 3))
    # Three in ten stay clean.
    assert 0 < (apart == 0).sum() < 8


def test_a_window_without_labels_has_no_noise_to_hear():
    shares = painter(DiffusionNetwork(len(CAMVID_CLASSES)), CAMVID_CLASSES).class_shares
    read = ToPaint(shares, 0.0, True, np.zeros((4, 8, 3), np.float32))
    empty = np.full((64, 128), VOID, np.uint8)
    rng = np.random.default_rng(0)
    # Most draws ask for noise.
    assert not any(read.shares(empty, rng).any() for _ in range(8))


@pytest.fixture
def given(tmp_path, monkeypatch) -> str:
    """Options of a run on a small pack."""
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 255, (13, 96, 128, 3), np.uint8)
    Path("pack").mkdir()
    write_set(Path("pack/camvid"), Samples(images, images[..., 0] % 19), 30)
    save_file(imagenet_features._timm(1).state_dict(), Path("pack/lite1.safetensors"))
    return f"--pack pack --batch 1 --crop 128 128 --workers 0 --models {models_dir()}"


@pytest.mark.parametrize("name", TINY)
def test_each_is_trained_on_another_device(name, given, monkeypatch):
    monkeypatch.setattr(networks, "TWINS", TINY)
    command = ["train", "generator", "--network", name, *given.split()]
    with another_device() as device:
        now = ["--steps", "1", "--adversarial-from", "0", "--device", device]
        assert main([*command, *now]) == 0


def test_each_is_trained_and_paints_in_a_study(given, monkeypatch, street):
    monkeypatch.setattr(networks, "TWINS", {name: TINY[name] for name in ("smis", "sdm")})
    for name in networks.TWINS:
        command = ["train", "generator", "--network", name, *given.split()]
        assert main([*command, "--steps", "1"]) == 0
        card = json.loads((networks.FOLDER / f"{name}.json").read_text())
        assert card["generator"] == name
        assert card["recipe"].startswith(f"semcom train generator --pack DIR --network {name}")
        system = create_system("generator", {"network": name})
        frame = street
        labels = fold(frame.labels)
        system.prepare([frame])
        system.begin(Link("noise", (("noise", "gaussian"), ("psnr_db", 10.0))), 0)
        shown = system.run(frame, labels, 0)
        assert not shown.lost
        assert shown.reconstruction.image.std() > 0
    system = create_system("generator", {"network": "smis", "payload_bytes": 256})
    system.prepare([street])
    system.begin(Link(), 0)
    assert system.run(street, labels, 0).bytes <= 256


def test_a_row_whose_weights_are_missing_names_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lacks = create_system("generator", {"network": "oasis"}).lacks
    assert "semcom train generator --network oasis" in lacks
