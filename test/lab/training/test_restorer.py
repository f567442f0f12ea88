# SPDX-License-Identifier: Apache-2.0
"""What teaches the restorer: coded pictures, maps on any grid, losses."""

import argparse
import functools
import json

import cv2
import numpy as np
import pytest
import torch
from another_device import another_device
from safetensors.torch import save_file

from semcom_ros.cli import main
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.gesco.picture import sharpness
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.datasets import open_source
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.lab.training import imagenet_features
from semcom_ros.lab.training.adversarial import Discriminator
from semcom_ros.lab.training.coded_pictures import (
    CLIP,
    approach,
    decode,
    encode_clip,
    write_codings,
)
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.restorer import batches
from semcom_ros.lab.training.restorer.arrived_maps import Resampling, denoised_planes
from semcom_ros.lab.training.restorer.batches import PictureBatch, PictureBatches, Streets
from semcom_ros.lab.training.restorer.training import (
    RestorerLearning,
    close_ups,
    distances,
    ms_ssim_loss,
    restored,
    restorer,
)
from semcom_ros.lab.training.street_pack import write_set
from semcom_ros.labels import CLASSES, NAMES
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.runtime import declare_operators
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def frame():
    return fit(open_source("scenes:1")[30])


def test_clip_ends_with_the_still_and_its_stream_with_its_picture(frame, tmp_path):
    clip = approach(frame.image, np.random.default_rng(0))
    assert len(clip) == CLIP and clip[-1] is frame.image
    stream = encode_clip(clip, [frame.labels] * CLIP, 0.5, 36)
    assert 80 < len(stream) < 6000
    # Two clips in one stream, as the pack holds them.
    (tmp_path / "two.hevc").write_bytes(2 * stream)
    pictures = list(decode(tmp_path / "two.hevc", CLIP))
    assert len(pictures) == 2 and pictures[0].shape == (128, 256, 3)
    assert np.array_equal(*pictures)
    assert cv2.PSNR(cv2.resize(pictures[0], (512, 256)), frame.image) > 20


@pytest.mark.parametrize("grid", [0, 4, 10])
def test_maps_on_a_grid_are_those_that_arrive(frame, grid):
    labels = torch.from_numpy(frame.labels)[None]
    shares = Resampling(GRIDS[grid], torch.device("cpu"))(labels)[0].numpy()
    arrived, _ = upsample(pool(frame.labels, GRIDS[grid]), WORK_SIZE)
    wanted = ClassShares(tuple(range(len(CLASSES)))).of_labels(arrived)
    # Ties are broken otherwise.
    assert (np.abs(shares - wanted).max(0) > 0).mean() < 0.02


def test_noisy_planes_are_denoised_as_at_the_roadside(frame):
    cells = Resampling(GRIDS[4], torch.device("cpu")).cells(torch.from_numpy(frame.labels)[None])
    torch.manual_seed(0)
    shares = denoised_planes(cells, 5.0)[0].numpy()
    present = np.unique(cells)
    one_hot = (cells.numpy() == present[:, None, None]).astype(np.float32)
    noisy = gaussian(one_hot, 5.0, np.random.default_rng(0))
    wanted = denoise(noisy, present, 20, noise_variance=10**-0.5)[: len(CLASSES)]
    # Other noise, the same process: as often right, as sure.
    for planes in (shares, wanted):
        right = (planes.argmax(0) == cells[0].numpy()).mean()
        assert right == pytest.approx((wanted.argmax(0) == cells[0].numpy()).mean(), abs=0.01)
    assert shares.max(0).mean() == pytest.approx(wanted.max(0).mean(), abs=0.01)


def test_ms_ssim_is_the_metric_of_the_study():
    declare_operators()
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

    torch.manual_seed(0)
    target = torch.rand(2, 3, 24, 30)
    target = torch.nn.functional.interpolate(target, size=(192, 240), mode="bilinear")
    image = (target + 0.1 * torch.randn_like(target)).clamp(0, 1)
    wanted = multiscale_structural_similarity_index_measure(image, target, data_range=1.0)
    assert float(1 - ms_ssim_loss(image, target)) == pytest.approx(float(wanted), abs=0.01)


def test_batches_are_crops_of_what_was_sent(frame):
    image = torch.from_numpy(frame.image).permute(2, 0, 1)[None].contiguous()
    labels = torch.from_numpy(frame.labels)[None]
    thumbnail = torch.full((1, 3, 16, 32), 0.5)
    one = torch.tensor([0])
    streets = Streets(
        image, labels, labels, image, one, torch.tensor([sharpness(256)]), torch.ones(1),
        thumbnail, thumbnail[0],
    )  # fmt: skip
    torch.manual_seed(0)
    batch = PictureBatches(streets, 6, (192, 384))[0]
    assert batch.image.shape == batch.picture.shape == (6, 3, 192, 384)
    assert batch.class_shares.shape == (6, len(CLASSES), 96, 192)
    coded = batch.sharpness == 8
    assert coded.any()
    # Where the picture is the frame itself both went through the same light and the same crop.
    assert torch.equal(batch.picture[coded], batch.image[coded])


def test_restorer_begins_as_the_shipped_diffusion(frame):
    """Eight classes more and a block more change nothing at first."""
    start = models_dir() / "gesco_diffusion.safetensors"
    plain, finer = (restorer(fine, start).eval() for fine in (0, 1))
    picture = torch.rand(1, 3, 64, 128)
    shares = torch.rand(1, len(CLASSES), 32, 64)
    batch = argparse.Namespace(class_shares=shares, picture=picture, sharpness=torch.tensor([8.0]))
    with torch.no_grad():
        assert torch.allclose(restored(plain, batch), restored(finer, batch), atol=1e-5)
    assert Discriminator(len(CLASSES))(picture, shares)[0].shape == (1, 1, 8, 16)


@pytest.fixture
def packed(frame, tmp_path, monkeypatch):
    """A pack of two stills, one held out, and no drive."""
    monkeypatch.setattr(batches, "render_drive", lambda *_, **__: [])
    for name in ("camvid", "kitti_held"):
        write_set(tmp_path / name, Samples(frame.image[None], frame.labels[None]), 30)
    clip = functools.partial(approach, frame.image)
    clips = {name: clip for name in ("kitti_held/0", "camvid/0")}
    write_codings(clips, lambda images: [frame.labels] * len(images), tmp_path)
    for variant in (0, 1):
        tensors = imagenet_features._timm(variant).state_dict()
        save_file(tensors, tmp_path / f"lite{variant}.safetensors")
    return tmp_path


def test_close_ups_are_windows_of_the_same_place_at_twice_the_size():
    image = torch.rand(2, 3, 64, 128)
    drawn_by = torch.zeros(2, 1, 64, 128)
    drawn_by[0, 0, 20:24, 84:88] = 3.0
    drawn_by[1, 0, 60:, :8] = 3.0
    torch.manual_seed(0)
    close, where = close_ups((image, drawn_by), drawn_by)
    assert close.shape == image.shape and where.shape == drawn_by.shape
    # Around the middle of a cell, and never beyond the edge.
    for near, whole, (top, left) in ((close[0], image[0], (8, 56)), (close[1], image[1], (32, 0))):
        window = whole[:, top : top + 32, left : left + 64]
        larger = torch.nn.functional.interpolate(window[None], scale_factor=2, mode="bilinear")[0]
        assert torch.allclose(near[:, 1:-1, 1:-1], larger[:, 1:-1, 1:-1], atol=1e-5)
    assert (where.amax((1, 2, 3)) > 0).all()


def test_what_has_emphasis_is_scored_by_itself_however_little_there_is(packed):
    features = imagenet_features.ImagenetFeatures(0, packed)
    target = torch.rand(2, 3, 128, 256)
    emphasis = torch.full((2, 1, 128, 256), 0.8)
    emphasis[..., :64, :64] = 4.0
    inside, outside = target.clone(), target.clone()
    inside[..., :64, :64] = 0.5
    outside[..., 96:, 128:] = 0.5
    whole, theirs = distances(features, inside, target, emphasis)
    # An eighth of the image; features see a little beyond its edge.
    assert 5 * whole < theirs < 8.01 * whole
    whole, theirs = distances(features, outside, target, emphasis)
    assert theirs < 0.1 * whole


def test_focus_makes_road_users_count_more_in_the_features(packed):
    features = imagenet_features.ImagenetFeatures(0, packed)
    shares, sharp = torch.rand(1, len(CLASSES), 96, 192), torch.tensor([8.0])
    image, picture = torch.rand(2, 1, 3, 192, 384)
    emphasis = torch.full((1, 1, 192, 384), 3.0)
    batch = PictureBatch(shares, picture, sharp, image, emphasis)

    def seen(*looks):
        network = restorer(1, models_dir() / "gesco_diffusion.safetensors")
        learning = RestorerLearning(network, Discriminator(len(CLASSES)), features, "cpu", *looks)
        torch.manual_seed(0)
        seen = learning.objective(batch)[1]
        return {name: float(value.detach()) for name, value in seen.items()}

    plain, sharper, closer, both = (seen(*looks) for looks in ((1, 0), (2, 0), (1, 1), (2, 1)))
    assert sharper["features"] == pytest.approx(3 * plain["features"], rel=1e-3)
    assert sharper["l1"] == plain["l1"]
    # A close-up comes beside it, and has no focus.
    close_up = closer["features"] - plain["features"]
    assert close_up > plain["features"] / 4
    assert both["features"] - sharper["features"] == pytest.approx(close_up, rel=1e-2)


def test_the_recipe_sharpens_at_its_end_and_goes_on_from_its_own(packed):
    def train(name, *words):
        out, log = packed / f"{name}.safetensors", packed / f"{name}.jsonl"
        places = ["--pack", packed, "--models", models_dir(), "--out", out, "--log", log]
        words = ["restorer", *places, "--batch", 1, "--crop", 192, 384, *words]
        assert main(["train", *map(str, words)]) == 0
        return json.loads(out.with_suffix(".json").read_text()), log.read_text().splitlines()

    card, log = train("first", "--steps", 2)
    assert (
        card["classes"] == list(NAMES)
        and card["fine"] == 1
        and {"ssim_low", "emphasised_low"} <= {*card["scores"]}
    )
    assert ["hinge" in json.loads(line) for line in log] == [False, True]
    plain = json.loads((packed / "first_plain.json").read_text())
    assert plain["updates"] == 1 and "--crop 192 384" in plain["recipe"]
    more = ["--start", packed / "first.safetensors", "--close", 1]
    card, _ = train("second", "--steps", 1, *more)
    assert card["start"]["recipe"].startswith("semcom train restorer --pack DIR")


def test_it_trains_on_another_device(packed):
    out, log = packed / "there.safetensors", packed / "there.jsonl"
    places = ["--pack", packed, "--models", models_dir(), "--out", out, "--log", log]
    more = ["--batch", 1, "--crop", 192, 384, "--steps", 1, "--adversarial-from", 0, "--close", 1]
    with another_device() as device:
        assert main(["train", "restorer", *map(str, (*places, *more)), "--device", device]) == 0
