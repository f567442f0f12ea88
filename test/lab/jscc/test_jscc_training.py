# SPDX-License-Identifier: Apache-2.0
"""`semcom train jscc` makes what a study takes, every link by the same recipe."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from another_device import another_device

from semcom_ros.cli import main
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.jscc import networks, training
from semcom_ros.lab.jscc.convolutional import ConvolutionalJscc
from semcom_ros.lab.jscc.deeplab import DeeplabJscc
from semcom_ros.lab.jscc.transformer import SwinJscc, Witt
from semcom_ros.lab.reader_networks import Fcn
from semcom_ros.lab.training import air
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.street_pack import write_set
from semcom_ros.labels import NAMES

pytestmark = pytest.mark.usefixtures("one_thread")
SWIN = {"depths": (1,) * 4, "heads": (1,) * 4}
CONVOLUTIONS = {"widths": (16,) * 4, "kernels": (3,) * 5, "strides": (2, 2, 2, 2, 1)}
TINY = {
    "deepjscc": partial(ConvolutionalJscc, 8, **CONVOLUTIONS),
    "adjscc": partial(ConvolutionalJscc, 8, **CONVOLUTIONS, attends=True),
    "witt": partial(Witt, 8, (8, 8, 8, 16), **SWIN),
    "swinjscc": partial(SwinJscc, (8, 8, 8, 16), **SWIN),
    "deeplab_jscc": partial(DeeplabJscc, 4, (8, 8, 8, 8), 8, 2, len(NAMES)),
    "fcn": partial(Fcn, (8, 8, 8, 8), len(NAMES)),
}


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs `semcom train jscc` for a tiny net on a few frames of noise."""
    monkeypatch.setattr(networks, "TWINS", TINY)
    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 255, (13, 96, 128, 3), np.uint8)
    Path("pack").mkdir()
    write_set(Path("pack/camvid"), Samples(images, images[..., 0] % 19), 30)

    def run(system: str, *words: str) -> dict:
        given = "--pack pack --scenes 0 --batch 2 --crop 32 64 --held 2"
        assert main(["train", "jscc", "--system", system, *given.split(), *words]) == 0
        return json.loads((networks.FOLDER / f"{system}.json").read_text())

    return run


def test_every_link_is_trained_and_found_by_its_name(train) -> None:
    with another_device() as device:
        for name in TINY:
            card = train(name, "--steps", "1", "--device", device)
            assert card["system"] == name
            assert card["recipe"].startswith(
                f"semcom train jscc --pack DIR --scenes 0 --system {name}"
            )
    image = torch.rand(1, 3, 64, 128)
    for name in TINY:
        network = networks.load(name, networks.FOLDER / f"{name}.safetensors")
        assert not network.training
    assert network(image).shape == (1, len(NAMES), 64, 128)


def test_a_link_learns_and_its_state_lies_under_its_own_name(train) -> None:
    card = train("deepjscc", "--steps", "24", "--rate", "0.01")
    log = Path("out/train/jscc_deepjscc.jsonl")
    psnr = [json.loads(line)["mark"] for line in log.read_text().splitlines()]
    assert psnr == sorted(psnr) and psnr[-1] > psnr[0] + 0.1
    assert card["full"] is False and "--full" not in card["recipe"]
    words = "train jscc --system witt --pack pack --scenes 0 --held 2 --resume"
    assert main(words.split()) == 2


def test_networks_are_told_the_snr_that_the_receiver_measures(train, monkeypatch) -> None:
    told = []

    def decode(self, planes: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        told.append(snr_db)
        return ConvolutionalJscc.decode(self, planes, snr_db)

    listening = type("Listening", (ConvolutionalJscc,), {"decode": decode})
    monkeypatch.setitem(TINY, "deepjscc", partial(listening, 8, **CONVOLUTIONS))
    monkeypatch.setattr(training, "WARM", 0.0)
    monkeypatch.setattr(air, "draw_snr", lambda n, device, *_: torch.full((n,), 10.0))
    monkeypatch.setattr(
        air, "draw_gains", lambda b, n, *, device: torch.full((b, n), 0.1j, dtype=torch.complex64)
    )
    train("deepjscc", "--steps", "1")
    # A tenth of the amplitude is a hundredth of the power: 20 dB less, and no less than is learnt.
    assert told[0].tolist() == [air.SNR_DB[0]] * 2


def test_a_run_that_stopped_goes_on_at_the_size_of_work_and_in_a_file_of_any_name(
    train, monkeypatch
) -> None:
    own = training.JsccTraining.update

    def stopping(self, batch: tuple[torch.Tensor, ...], step: int) -> dict[str, torch.Tensor]:
        assert batch[0].shape[2:] == WORK_SIZE
        if step == 2 and not self.args.resume:
            raise KeyboardInterrupt
        return own(self, batch, step)

    monkeypatch.setattr(training.JsccTraining, "update", stopping)
    words = "train jscc --system deepjscc --pack pack --scenes 0 --batch 2 --held 2 --steps 3"
    words += " --out mine.safetensors"
    assert main(words.split()) == 130
    assert main([*words.split(), "--resume"]) == 0
    assert json.loads(Path("mine.json").read_text())["recipe"].count("--crop 256 512") == 1


def test_a_crop_that_strides_do_not_divide_is_a_sentence(train, capsys) -> None:
    assert main("train jscc --system fcn --pack pack --crop 40 64".split()) == 2
    assert "Sides of samples are multiples of 32: give such a --crop." in capsys.readouterr().err
