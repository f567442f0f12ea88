# SPDX-License-Identifier: Apache-2.0
"""`semcom train gsc`: losses, draws, and all steps to files that the codec loads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_gsc
import torch
from another_device import another_device

from semcom_ros import cli, weights
from semcom_ros.codecs import CODECS, create_decoder, create_encoder
from semcom_ros.codecs.base import Request
from semcom_ros.codecs.gsc.sizes import CONFIGURATIONS, PARTS
from semcom_ros.frame import Frame
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.gsc import pack, training
from semcom_ros.lab.training.gsc.held_out import HeldOut
from semcom_ros.lab.training.gsc.link import Draw, GscLink, map_loss, picture_loss
from semcom_ros.lab.training.street_pack import write_set

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_pictures_loss_is_the_mean_squared_error_of_pixels() -> None:
    pictures, images = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    pictures[0, 0, 0, 0] = 0.6
    assert float(picture_loss(pictures, images)) == pytest.approx(0.36 / 12)


def test_the_maps_loss_is_the_cross_entropy_of_pixels_that_are_not_void() -> None:
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1, 0, 0], logits[0, 0, 1, 1] = np.log(3), 50
    labels = torch.tensor([[[1, 0], [255, 255]]])
    expected = (np.log(4 / 3) + np.log(2)) / 2
    assert float(map_loss(logits, labels)) == pytest.approx(expected)
    assert float(map_loss(logits, torch.full_like(labels, 255))) == 0


def test_links_have_every_rate_the_usual_ones_more_often_and_some_lose_their_tail() -> None:
    torch.manual_seed(0)
    draw = Draw.of(torch.tensor([[1.0, 0], [0, 1]]).repeat(2000, 1), 48, (-5.0, 20.0))
    pictures, maps = draw.kept[::2], draw.kept[1::2]
    assert {1, 24, 48} <= {*pictures.tolist()}
    assert (pictures == 8).float().mean() > 0.2 and (maps == 4).float().mean() > 0.2
    assert (draw.arrived <= draw.kept).all() and (draw.arrived >= 1).all()
    assert 0.05 < (draw.arrived < draw.kept).float().mean() < 0.12
    assert draw.snr_db.min() > -5 and draw.snr_db.max() < 20


def test_no_gradient_reaches_planes_that_are_not_sent_and_all_else_learns() -> None:
    torch.manual_seed(0)
    network = GscLink(tiny_gsc.TINY, 4)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    draw = Draw.of(torch.ones(4, 2), 48, (0.0, 10.0))._replace(kept=torch.full((4,), 6))
    heard = network.send(torch.rand(4, 3, 64, 64), draw)
    contexts = network.understand(heard)
    whole = slice(None)
    loss = network.paint(contexts, heard, whole).square().mean()
    (loss + network.label(contexts, whole).square().mean()).backward()
    last = network.sender.encoder.last.weight.grad.flatten(1).abs().sum(1) > 0
    assert last[:12].all() and not last[12:].any()
    idle = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # That of further passes, and a gate of one unit that may be shut.
    assert all("noised" in name or "gate" in name for name in idle)


class Eyes(torch.nn.Module):
    """In place of ImageNet's features: colours."""

    def __init__(self, variant: int, folder: Path | None = None) -> None:
        super().__init__()

    def distance(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return (images - targets).abs().mean((1, 2, 3))


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run one step on a few frames of noise with narrow networks."""
    monkeypatch.setitem(CONFIGURATIONS, "fast", tiny_gsc.TINY)
    monkeypatch.setitem(CODECS, "gsc", "semcom_ros.codecs.gsc:CODEC")
    for module in (training, pack):
        monkeypatch.setattr(module, "ImagenetFeatures", Eyes)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (13, 96, 128, 3), np.uint8)
    (tmp_path / "pack").mkdir()
    write_set(tmp_path / "pack/camvid", Samples(images, images[..., 0] % 19), 30)

    def step(name: str, *more: str) -> list[dict]:
        line = f"train gsc --step {name} --pack {tmp_path}/pack --work {tmp_path} --batch 4"
        line += f" --crop 32 64 --scenes 0 --held 1 --models {tmp_path}/models"
        assert cli.main([*line.split(), *more]) == 0
        log = tmp_path / f"{name}.jsonl"
        return [json.loads(row) for row in log.read_text().splitlines()] if log.exists() else []

    return step


def test_step_by_step_to_files_that_both_ends_load(train, tmp_path: Path) -> None:
    for name in training.STAGES:
        rows = train(name, "--steps", "1", "--rate", "0.1")
        assert rows[-1]["step"] == 1 and np.isfinite(rows[-1]["psnr"])
    train("pack")
    encoder = create_encoder("gsc", models=tmp_path / "models")
    decoder = create_decoder("gsc", models=tmp_path / "models", gsc_decoder="perceptual")
    assert encoder.model == decoder.model
    assert encoder.encode(Frame(np.zeros((256, 512, 3), np.uint8), stamp=1), Request.of_bytes(128))
    card = json.loads((tmp_path / "models/gsc_decoder.json").read_text())
    assert card["steps"][0] == 1 and "psnr J8 0dB" in card["scores"]
    # A decoder alone learns in its step: the sender stays as it was.
    sent = [weights.load(tmp_path / pack.file_of_step(n), "")[0] for n in ("joint", "image")]
    same = {k: np.array_equal(v, sent[1][k]) for k, v in sent[0].items()}
    assert all(same[k] for k in same if not k.startswith("receiver.image"))
    assert not all(same.values())


def test_one_task_alone_and_parts_left_out_are_learned_for_a_study(train, tmp_path: Path) -> None:
    for task, learnt, other in (("image", "picture", "map"), ("map", "map", "picture")):
        start = ("--start", str(tmp_path / "gsc_warm.safetensors"))
        train("warm", "--steps", "1")
        (row,) = train("joint", "--steps", "1", "--task", task, *start)
        assert learnt in row and other not in row
    assert weights.load(tmp_path / "gsc_joint.safetensors", "")[1]["task"] == "map"
    train("warm", "--steps", "1", "--without", *PARTS)
    tensors, card = weights.load(tmp_path / "gsc_warm.safetensors", "")
    assert card["network"]["without"] == [*PARTS]
    left_out = ("sender.knowledge", "receiver.knowledge.blocks", "receiver.image.trunk.blocks.b")
    assert not [name for name in tensors if name.startswith(left_out)]
    assert cli.main(["train", "gsc", "--step", "image", "--task", "map"]) == 2


def test_weights_of_one_task_are_kept_by_its_own_score(
    train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train("warm", "--steps", "1")
    for task, best in (("both", 1), ("image", 1), ("map", 2)):
        scores = iter(
            ({"mark": 1.1, "psnr": 26, "miou": 0.1}, {"mark": 1, "psnr": 20, "miou": 0.2})
        )
        monkeypatch.setattr(training.HeldOut, "score", lambda *_, scores=scores: next(scores))
        start = ("--start", str(tmp_path / "gsc_warm.safetensors"))
        train("joint", "--steps", "2", "--task", task, *start)
        assert weights.load(tmp_path / "gsc_joint.safetensors", "")[1]["updates"] == best


def test_an_update_and_a_score_run_on_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 255, (2, 96, 128, 3), np.uint8)
    with another_device() as device:
        network = GscLink(tiny_gsc.TINY, 19).to(device)
        draw = Draw.of(torch.ones(2, 2, device=device), 48, (0.0, 10.0))
        heard = network.send(torch.rand(2, 3, 64, 64, device=device), draw)
        contexts, whole = network.understand(heard), slice(None)
        loss = picture_loss(
            network.paint(contexts, heard, whole), torch.zeros(2, 3, 64, 64, device=device)
        )
        labels = torch.zeros(2, 64, 64, dtype=torch.long, device=device)
        (loss + map_loss(network.label(contexts, whole), labels)).backward()
        assert network.sender.encoder.last.weight.grad is not None
        held = HeldOut(Samples(images, images[..., 0] % 19), device)
        assert held.score(network.eval())["psnr"] > 0
