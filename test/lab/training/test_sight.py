# SPDX-License-Identifier: Apache-2.0
"""Training of the eyes: packs, windows, losses, and each network in an update."""

import json

import numpy as np
import pytest
import torch
from another_device import another_device
from safetensors.torch import save_file

from semcom_ros import weights
from semcom_ros.cli import main
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import fit
from semcom_ros.lab.training import device_windows, imagenet_features, street_pack
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.perception.data import sample_of
from semcom_ros.lab.training.sight import losses, perception_taught, training
from semcom_ros.labels import NAMES, TRAIN_ID, VOID
from semcom_ros.layers.efficientnet_lite import EfficientNetLite
from semcom_ros.perception.lite_network import LiteSegmentationNetwork
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter

pytestmark = pytest.mark.usefixtures("one_thread")


def _samples(count: int, size: tuple[int, int], labels: bool = True) -> Samples:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 19, (count, 6, 8), np.uint8)
    maps = np.kron(coarse, np.ones((1, size[0] // 6, size[1] // 8), np.uint8))
    images = np.stack([maps * 12, 255 - maps * 12, maps * 5], -1)
    return Samples(images, maps if labels else np.full_like(maps, VOID))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A pack of two frames a set, written as `semcom train pack` does."""
    folder = tmp_path_factory.mktemp("pack")
    wide = (288, 960)
    sizes = {"camvid": (360, 480), "kitti": wide, "kitti_held": wide, "drive": (288, 512)}
    for name, size in {**sizes, "plain": (288, 512), "wide": wide}.items():
        street_pack.write_set(folder / name, _samples(2, size, name in sizes), 20)
    return folder


def test_a_pack_returns_labels_as_they_were_and_images_nearly(packed):
    found = street_pack.read_pack(packed)
    known = _samples(2, (360, 480))
    assert (found["camvid"].labels == known.labels).all()
    assert (found["plain"].labels == VOID).all()
    error = found["camvid"].images.astype(float) - known.images
    assert np.abs(error.mean()) < 2 and np.abs(error).mean() < 6
    with pytest.raises(SemcomError, match="holds no pack"):
        street_pack.read_pack(packed.parent)


def test_rows_tell_what_a_set_lumps():
    labels = np.array([TRAIN_ID["car"], TRAIN_ID["road"], VOID], np.uint8)
    lumped = losses.rows_of(labels, losses.CAMVID)
    assert lumped[1] == TRAIN_ID["road"] and lumped[2] == VOID
    assert {NAMES[c] for c in losses.GROUPS[lumped[0] - losses.CLASSES]} == {
        "car",
        "truck",
        "bus",
        "train",
    }
    assert (losses.rows_of(labels, ()) == labels).all()
    assert (losses.folding().sum(1) == 1).all()


def test_windows_keep_labels_on_their_pixels():
    torch.manual_seed(0)
    drawn = device_windows.Windows(_samples(3, (360, 480)), losses.ROWS, "cpu").draw(4, (128, 192))
    images, labels = drawn
    assert images.shape == (4, 3, 128, 192) and labels.shape == (4, 128, 192)
    known = labels != VOID
    # The red of a pixel tells its label, but at edges.
    told = (images[:, 0] * 255 / 12).round().long()
    assert known.float().mean() > 0.5
    assert (told == labels)[known].float().mean() > 0.9


def test_windows_that_seek_lie_about_labels_of_which_the_rare_are_sought_more_often():
    torch.manual_seed(0)
    labels = np.full((4, 360, 960), TRAIN_ID["road"], np.uint8)
    labels[2, 200:220, 30:50] = TRAIN_ID["bus"]
    samples = Samples(np.zeros((*labels.shape, 3), np.uint8), labels)
    found = []
    for seek in (0.0, 1.0):
        windows = device_windows.Windows(samples, losses.ROWS, "cpu", seek)
        _, drawn = windows.draw(64, (128, 192))
        found.append(float((drawn == TRAIN_ID["bus"]).any(2).any(1).float().mean()))
    assert found[1] > 0.6 > 2 * found[0]
    void = Samples(samples.images, np.full_like(labels, VOID))
    _, drawn = device_windows.Windows(void, losses.ROWS, "cpu", 1.0).draw(2, (128, 192))
    assert (drawn == VOID).all()


def test_pasted_things_bring_their_labels():
    torch.manual_seed(0)
    images = torch.zeros(8, 3, 16, 16)
    images[::2] = 1
    labels = torch.full((8, 16, 16), TRAIN_ID["road"])
    labels[::2] = TRAIN_ID["car"]
    mixed, found = device_windows.paste(images, labels, losses.PASTEABLE)
    assert ((mixed[:, 0] == 1) == (found == TRAIN_ID["car"])).all()
    assert (found[1::2] == TRAIN_ID["car"]).any()


def test_losses_vanish_for_the_truth_and_take_any_kin_of_a_lumped_label():
    shares = np.full(losses.ROWS, 1 / losses.ROWS)
    loss = losses.LabelLoss(shares, "cpu")
    labels = torch.full((1, 32, 32), TRAIN_ID["road"])
    labels[:, :, 16:] = int(losses.rows_of(np.array([TRAIN_ID["car"]], np.uint8), losses.CAMVID)[0])
    logits = torch.zeros(1, 19, 16, 16)
    logits[:, TRAIN_ID["road"], :, :8] = 60
    logits[:, TRAIN_ID["truck"], :, 8:] = 60
    right = loss(logits, labels)
    assert all(float(value) < 0.2 for value in right.values())
    wrong = loss(logits.flip(3), labels)
    assert float(wrong["entropy"]) > 5 and float(wrong["overlap"]) > 0.9
    assert float(losses.distillation(logits, logits.softmax(1))) < 1e-4


@pytest.fixture
def train(packed, tmp_path, monkeypatch):
    """Runs a recipe for a few updates of small windows; returns its weights and card."""
    imagenet = EfficientNetLite("lite0", 6).state_dict()
    known = {imagenet_features._timm_name(name): tensor for name, tensor in imagenet.items()}
    save_file(known, packed / "lite0.safetensors")
    form = {"backbone": "lite0", "kept": 6, "last": 1, "channels": 16, "fine": 8}
    stages = {name: stage._replace(form=form) for name, stage in training.STAGES.items()}
    monkeypatch.setattr(training, "STAGES", stages)
    monkeypatch.setattr(training, "CROP", (64, 128))
    monkeypatch.setattr(training, "UNSEEN", (1, range(1, 2), 1))

    def run(name, command, *words):
        out = tmp_path / f"{name}.safetensors"
        where = ["--pack", packed, "--out", out, "--log", tmp_path / f"{name}.jsonl"]
        few = ["--scenes", 2, "--batch", 4, "--workers", 0]
        code = main(["train", command, *map(str, (*where, *few, *words))])
        return code, out, weights.read_card(out, "")

    return run


def test_stages_leave_weights_that_the_segmenter_loads_and_training_goes_on_from(train):
    _, teacher, card = train("teacher", "sight", "--stage", "teacher", "--steps", 2)
    assert card["classes"] == list(NAMES) and card["updates"] == 2
    assert "kitti miou" in card["scores"]
    image = np.zeros((1, 256, 512, 3), np.uint8)
    assert Segmenter.from_pretrained(teacher)(image).shape == (1, 256, 512)
    more = ["--teacher", teacher, "--start", teacher, "--steps", 1, "--seek", 0.5]
    _, _, card = train("segmenter", "sight", *more, "--start-teaches")
    assert "--start-teaches" in card["recipe"] and "--seek 0.5" in card["recipe"]
    assert "told by a teacher" in card["data"]
    assert card["start"]["recipe"].startswith("semcom train sight --pack DIR")
    assert "--start FILE" in card["recipe"]


def test_weights_that_are_not_given_do_not_teach(tmp_path, capsys):
    assert main(["train", "sight", "--start-teaches", "--pack", str(tmp_path)]) == 2
    assert "no weights are there to teach" in capsys.readouterr().err


def test_the_panel_trains_on_another_device(train):
    with another_device() as device:
        words = ["--stage", "panel", "--steps", 1, "--seek", 0.5, "--device", device]
        code, *_ = train("panel", "sight", *words)
    assert code == 0


def test_no_frames_of_the_drive_are_rendered_where_the_pack_holds_some(train):
    _, _, card = train("panel", "sight", "--stage", "panel", "--steps", 1, "--scenes", 0)
    assert "packed frames of the procedural drive" in card["data"]


def test_without_frames_of_the_drive_anywhere_the_panel_does_not_begin(
    packed, tmp_path, monkeypatch, capsys
):
    known = street_pack.read_pack(packed)
    monkeypatch.setattr(street_pack, "read_pack", lambda folder: {"camvid": known["camvid"]})
    words = f"train sight --stage panel --scenes 0 --pack {packed} --log {tmp_path}/log.jsonl"
    assert main([*words.split(), "--out", f"{tmp_path}/panel.safetensors"]) == 2
    assert "holds no frames of the drive" in capsys.readouterr().err


def test_a_run_by_the_clock_ends_by_it(train, tmp_path, capsys):
    clock = ["panel", "sight", "--stage", "panel", "--minutes", 0.02]
    _, _, card = train(*clock)
    log = [json.loads(line) for line in (tmp_path / "panel.jsonl").read_text().splitlines()]
    assert 0.02 <= log[-1]["minutes"] < 0.2 and log[-1]["step"] == card["updates"]
    assert "--minutes 0.02" in card["recipe"]
    code, *_ = train(*clock, "--resume")
    assert code and "is at its end" in capsys.readouterr().err


def test_perception_goes_on_with_a_teachers_labels(train, tmp_path, monkeypatch):
    drive = open_source("scenes:1", truth=True)
    frames = [fit(drive[i]) for i in (0, 20)]
    drawn = [sample_of(frame) for frame in frames]
    monkeypatch.setattr(perception_taught, "render_drive", lambda *_, **__: drawn)
    monkeypatch.setattr(perception_taught, "HELD_OUT", (1,))
    monkeypatch.setattr(perception_taught, "frames_with_truth", lambda *_: frames[:1])
    np.save(tmp_path / "drive.npy", np.stack([sample.image for sample in drawn]))
    _, teacher, _ = train("teacher", "sight", "--stage", "teacher", "--steps", 1)
    words = ["--teacher", teacher, "--regenerated", tmp_path, "--steps", 1, "--batch", 1]
    _, out, card = train("perception", "perception-taught", *words)
    found = Perception.from_pretrained(out)(np.zeros((1, 256, 512, 3), np.uint8))
    assert found[0].depth.shape == (256, 512)
    assert "regenerated" in card["data"] and "start" in card and "map50" in card["scores"]
    np.save(tmp_path / "odd.npy", np.zeros((3, 256, 512, 3), np.uint8))
    with pytest.raises(SemcomError, match="not one of"):
        perception_taught.with_regenerated(drawn, tmp_path / "odd.npy")


def test_the_panel_fits_its_place():
    network = LiteSegmentationNetwork(19, **training.STAGES["panel"].form)
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) <= 5 * 2**20


def test_the_network_keeps_half_the_resolution():
    network = LiteSegmentationNetwork(19, "lite0", 6).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 19, 32, 48)


def test_a_pack_whose_data_is_missing_leaves_no_folder_that_looks_like_one(tmp_path, capsys):
    assert main(["train", "pack", "--data", str(tmp_path), "--out", f"{tmp_path}/pack"]) == 2
    assert "camvid" in capsys.readouterr().err and not (tmp_path / "pack").exists()
