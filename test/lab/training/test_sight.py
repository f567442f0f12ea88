# SPDX-License-Identifier: Apache-2.0
"""Training of the eyes: packs, windows, losses, and a teacher and a segmenter in two updates."""

import argparse
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semcom_ros import weights
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training import imagenet_features
from semcom_ros.lab.training.perception.data import sample_of
from semcom_ros.lab.training.sight import (
    augment,
    command,
    losses,
    pack,
    perception,
    rows,
    sets,
    teacher,
    timed,
)
from semcom_ros.labels import NAMES, TRAIN_ID, VOID
from semcom_ros.perception.lite_network import LiteSegmentationNetwork
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter


def _frames(count: int, size: tuple[int, int], labels: bool = True) -> pack.Frames:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 19, (count, 6, 8), np.uint8)
    maps = np.kron(coarse, np.ones((1, size[0] // 6, size[1] // 8), np.uint8))
    images = np.stack([maps * 12, 255 - maps * 12, maps * 5], -1)
    return pack.Frames(images, maps if labels else None)


@pytest.fixture
def packed(tmp_path):
    """A pack of two frames a set, written as `write_pack` does."""
    folder = tmp_path / "pack"
    folder.mkdir()
    sizes = {"camvid": (360, 480), "kitti": (288, 960), "kitti_held": (288, 960)}
    for name, size in {**sizes, "plain": (288, 512), "wide": (288, 960)}.items():
        pack.write_set(folder / name, _frames(2, size, name in sizes), 20)
    return folder


def test_a_pack_returns_labels_as_they_were_and_images_nearly(packed):
    found = pack.read_pack(packed)
    known = _frames(2, (360, 480))
    assert (found["camvid"].labels == known.labels).all()
    assert found["plain"].labels is None
    error = found["camvid"].images.astype(float) - known.images
    assert np.abs(error.mean()) < 2 and np.abs(error).mean() < 6
    with pytest.raises(SemcomError, match="holds no pack"):
        pack.read_pack(packed.parent)


def test_rows_tell_what_a_set_lumps():
    labels = np.array([TRAIN_ID["car"], TRAIN_ID["road"], VOID], np.uint8)
    lumped = rows.rows_of(labels, rows.CAMVID)
    assert lumped[1] == TRAIN_ID["road"] and lumped[2] == VOID
    assert {NAMES[c] for c in rows.GROUPS[lumped[0] - rows.CLASSES]} == {
        "car",
        "truck",
        "bus",
        "train",
    }
    assert (rows.rows_of(labels, ()) == labels).all()
    assert (rows.folding().sum(1) == 1).all()


def test_windows_keep_labels_on_their_pixels():
    torch.manual_seed(0)
    frames = _frames(3, (360, 480))
    drawn = augment.Set(frames, rows.rows_of(frames.labels, ()), "cpu").draw(4, (128, 192))
    images, labels = drawn
    assert images.shape == (4, 3, 128, 192) and labels.shape == (4, 128, 192)
    known = labels != VOID
    # The red of a pixel tells its label, but at edges.
    told = (images[:, 0] * 255 / 12).round().long()
    assert known.float().mean() > 0.5
    assert (told == labels)[known].float().mean() > 0.9


def test_pasted_things_bring_their_labels():
    torch.manual_seed(0)
    images = torch.zeros(8, 3, 16, 16)
    images[::2] = 1
    labels = torch.full((8, 16, 16), TRAIN_ID["road"])
    labels[::2] = TRAIN_ID["car"]
    mixed, found = augment.paste(images, labels)
    assert ((mixed[:, 0] == 1) == (found == TRAIN_ID["car"])).all()
    assert (found[1::2] == TRAIN_ID["car"]).any()


def test_losses_vanish_for_the_truth_and_take_any_kin_of_a_lumped_label():
    shares = np.full(rows.ROWS, 1 / rows.ROWS)
    loss = losses.LabelLoss(shares, "cpu")
    labels = torch.full((1, 32, 32), TRAIN_ID["road"])
    labels[:, :, 16:] = int(rows.rows_of(np.array([TRAIN_ID["car"]], np.uint8), rows.CAMVID)[0])
    logits = torch.zeros(1, 19, 16, 16)
    logits[:, TRAIN_ID["road"], :, :8] = 60
    logits[:, TRAIN_ID["truck"], :, 8:] = 60
    right = loss(logits, labels)
    assert all(float(value) < 0.2 for value in right.values())
    wrong = loss(logits.flip(3), labels)
    assert float(wrong["entropy"]) > 5 and float(wrong["overlap"]) > 0.9
    assert float(losses.distillation(logits, logits.softmax(1))) < 1e-4


def test_an_interrupted_run_goes_on(tmp_path):
    def learner() -> timed.Learner:
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.BatchNorm2d(2))
        return timed.Learner(network, network[0], "cpu")

    def plan(updates: int) -> timed.Plan:
        return timed.Plan(60, 1e-2, tmp_path / "log", tmp_path / "state", updates)

    def losses_of(one: timed.Learner):
        image = torch.ones(1, 3, 4, 4, dtype=torch.bfloat16)
        return lambda: {"loss": one.network(image).float().square().mean()}

    first = learner()
    assert timed.train(first, losses_of(first), plan(5)) == 5
    second = learner()
    assert timed.train(second, losses_of(second), plan(5)) == 5
    for a, b in zip(first.masters, second.masters, strict=True):
        torch.testing.assert_close(a, b)


def test_stages_leave_weights_that_the_segmenter_loads(packed, tmp_path, monkeypatch):
    for variant in (0, 1, 2):
        tensors = imagenet_features._timm(variant).state_dict()
        save_file(tensors, tmp_path / f"lite{variant}.safetensors")
    drive = _frames(2, (252, 512))
    monkeypatch.setattr(sets, "render_drive", lambda *_: drive)
    monkeypatch.setattr(sets, "CROP", (64, 128))
    monkeypatch.setattr(sets, "HELD_OUT", range(1, 2))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    drawn = [sample_of(Drive(100).render(i, truth=True)) for i in (0, 20)]
    monkeypatch.setattr(command, "render_drive", lambda *_, **__: drawn)
    towns = perception.frames_with_truth("scenes:1", "", range(2))
    monkeypatch.setattr(perception, "frames_with_truth", lambda *_: towns)
    np.save(tmp_path / "drive.npy", np.stack([s.image for s in drawn]))
    options = ["--pack", packed, "--imagenet", tmp_path, "--updates", 2, "--batch", 4]
    options += ["--processes", 0, "--regenerated", tmp_path, "--stages", *command.STAGES]
    options.append(command.PERCEPTION)
    folders = ["--work", tmp_path / "work", "--out", tmp_path / "out"]
    command.run(parser.parse_args([str(x) for x in (*options, *folders)]))
    image = np.zeros((1, 256, 512, 3), np.uint8)
    for name in ("segmenter", "panel"):
        path = tmp_path / "out" / f"{name}.safetensors"
        assert Segmenter.from_pretrained(path)(image).shape == (1, 256, 512)
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["classes"] == list(NAMES) and "2 updates of 4 windows" in card["recipe"]
    found = Perception.from_pretrained(tmp_path / "out")(image)
    assert found[0].depth.shape == (256, 512)
    assert (tmp_path / "out/panel.safetensors").stat().st_size <= 5 * 2**20
    tensors, card = weights.load(tmp_path / "work" / teacher.FILE, "")
    assert card["backbone"] == "lite1"
    np.save(tmp_path / "odd.npy", np.zeros((3, 256, 512, 3), np.uint8))
    with pytest.raises(SemcomError, match="not one of"):
        perception.with_regenerated(drawn, tmp_path / "odd.npy")
    again = ["--stages", "panel", "--start", tmp_path / "out", "--out", tmp_path / "again"]
    command.run(parser.parse_args([str(x) for x in (*options, *folders, *again)]))
    card = json.loads((tmp_path / "again/panel.json").read_text())
    assert "2 updates" in card["start"]["recipe"]
    with pytest.raises(SemcomError, match="--minutes"):
        command.run(parser.parse_args(["--minutes", "1", "2"]))


def test_the_network_keeps_half_the_resolution():
    network = LiteSegmentationNetwork(19, "lite0", 6).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 19, 32, 48)
