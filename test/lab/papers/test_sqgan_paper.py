# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the sizes of its paper: how large it is, its losses, its three steps."""

from __future__ import annotations

import argparse
from functools import partial

import numpy as np
import pytest
import torch

from semcom_ros.codecs.sqgan.paper.inference import (
    normalised,
    pixels,
)
from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    FORMS,
    SqganPaperSizes,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers import sqgan_losses as losses
from semcom_ros.lab.papers.patience import Patience
from semcom_ros.lab.papers.sqgan import SqganPaperTraining, rate_at, updates
from semcom_ros.lab.papers.sqgan_draws import MaskedDraws, Unseen, draw_fraction
from semcom_ros.lab.training import perceptual
from semcom_ros.labels import TRAIN_ID
from semcom_ros.layers import vector_quantiser

NARROW = SqganPaperSizes(width=32, multipliers=(1, 1), blocks=1, dims=32, depth=1, hidden=8)
SIZE = (16, 32)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def draw(small_camvid):
    return MaskedDraws(open_source(small_camvid, "train"), SIZE, 7, 2)[0]


def test_fractions_of_the_text_are_a_third_on_the_average_and_the_released_codes_more():
    rng = np.random.default_rng(0)
    text, code = ([draw_fraction(rng, form) for _ in range(4000)] for form in ("text", "code"))
    assert np.mean(text) == pytest.approx(0.35, abs=0.01) and 0.05 <= min(text) <= max(text) <= 1
    assert np.mean(code) == pytest.approx(0.42, abs=0.02)
    shares = [np.mean(np.isclose(code, f)) for f in (0.05, 0.2875, 0.525, 0.7625, 1.0)]
    assert shares == pytest.approx([0.02, 0.53, 0.35, 0.08, 0.02], abs=0.02)


@pytest.mark.parametrize("form", FORMS)
def test_each_pipeline_keeps_a_fraction_of_its_own(small_camvid, form):
    draws = MaskedDraws(open_source(small_camvid, "train"), SIZE, 7, 2, form)
    pairs = [(draws[i]["fraction"], draws[i]["map_fraction"]) for i in range(8)]
    assert all(len(one.unique()) == 1 for pair in pairs for one in pair), "one a batch"
    assert any(bool((a != b).all()) for a, b in pairs)


def test_frames_unseen_come_as_they_are_with_the_mean_fraction(small_camvid):
    source = open_source(small_camvid, "val")
    unseen = Unseen(source, (32, 64))
    (draw,) = (unseen[i] for i in range(len(unseen)))
    labels = np.minimum(source[0].labels, CLASS_PLANES)
    assert np.array_equal(draw["labels"][0], labels)
    assert draw["fraction"] == draw["map_fraction"] == pytest.approx(0.35)


def test_a_batch_depends_on_seed_and_place_alone(small_camvid, draw):
    again = MaskedDraws(open_source(small_camvid, "train"), SIZE, 7, 2)
    for name, value in draw.items():
        assert torch.equal(value, again[0][name])
    assert not torch.equal(draw["image"], again[1]["image"])
    assert torch.equal(draw["planes"].argmax(1), draw["labels"])
    assert draw["image"].shape == (2, 3, *SIZE) and draw["planes"].shape == (2, 20, *SIZE)


def test_normalising_an_image_can_be_undone():
    image = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(pixels(normalised(image)), image)
    grey = torch.full((1, 3, 1, 1), 0.5)
    np.testing.assert_allclose(normalised(grey).flatten(), [0.0655, 0.1964, 0.4178], atol=1e-4)


def passed_of(draw, kind="image"):
    torch.manual_seed(0)
    pipeline = map_pipeline(NARROW) if kind == "map" else image_pipeline(NARROW)
    planes, classes = draw["planes"], draw["planes"][:, :CLASS_PLANES]
    if kind == "map":
        return pipeline((planes,), classes, draw["fraction"])
    return pipeline((draw["image"], classes), classes, draw["fraction"], (classes,))


def test_void_and_what_is_not_worth_bits_weigh_as_published(draw):
    draw = dict(draw)
    draw["labels"] = torch.full((2, *SIZE), TRAIN_ID["sky"])
    passed = passed_of(draw)
    zero = losses.image_error(passed, draw, lambda a, b: torch.zeros(()))
    assert zero == 0, "the sky's error weighs 0"
    given_back = {
        "text": {"sky": 0.85, "vegetation": 0.8, "road": 0.425},
        "code": {"sky": 0.85, "vegetation": 1.275, "road": 0},
    }
    for form, shares in given_back.items():
        for name, share in shares.items():
            draw["labels"] = torch.full((2, *SIZE), TRAIN_ID[name])
            fake, real = losses.judged(passed, draw, "image", form)
            left = (1 - share) * (real - passed.output)
            torch.testing.assert_close(real - fake, left, atol=1e-4, rtol=1e-3)
    draw["labels"] = torch.full((2, *SIZE), CLASS_PLANES)
    assert torch.equal(losses.judged(passed, draw, "image")[0], passed.output)


def test_the_discriminators_weight_balances_the_gradients_within_its_bound():
    last = torch.ones(3, requires_grad=True)
    error, logits = (last * 2).sum(), (last * 8).sum()
    assert float(losses.adversarial_weight(error, logits, last, "map")) == pytest.approx(
        0.75 / 4, rel=1e-3
    )
    assert float(losses.adversarial_weight(8 * error, logits, last, "map")) == 1.0
    assert float(losses.adversarial_weight(8 * error, logits, last, "image")) == pytest.approx(0.2)


def test_the_discriminator_gives_a_single_number_in_the_text_and_one_a_patch_in_the_code():
    patches = losses.PatchDiscriminator(3, width=8)(torch.rand(2, 3, 64, 128))
    assert patches.shape == (2, 1, 6, 14)
    doubted = torch.tensor([[-3.0, 1.0], [-1.0, -1.0]]).reshape(2, 1, 1, 2)
    trusted = torch.full((2, 1, 1, 2), 1.0)
    assert float(losses.hinge(doubted, trusted, "code")) == pytest.approx((0 + 2 + 0 + 0) / 4 / 2)
    assert float(losses.hinge(doubted, trusted, "text")) == pytest.approx(0)
    assert (losses.PERCEPTUAL, losses.COMMITMENT) == (0.15, {"map": 1.0, "image": 0.15})


@pytest.fixture(scope="module")
def options(small_camvid):
    """The command's options, from the folder that it writes to and further words."""
    parser = argparse.ArgumentParser()
    SqganPaperTraining.add_arguments(parser)
    small = "--width 32 --multipliers 1 1 --size 32 64 --batch 2 --workers 0 --precision no"

    def parse(folder, step, *words):
        places = ["--out", f"{folder}/models", "--state", f"{folder}/state"]
        places += ["--log", f"{folder}/log.jsonl"]
        places += ["--data", small_camvid, "--stage", step]
        return parser.parse_args([*small.split(), *places, *words])

    return parse


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """The options leave depth and length of codewords as they are in the paper: less will do."""
    with pytest.MonkeyPatch.context() as patch:
        less = partial(SqganPaperSizes, dims=32, depth=1, blocks=1, hidden=8)
        patch.setattr(SqganPaperTraining, "sizes", less)
        yield


def test_a_step_before_that_is_missing_is_a_sentence(options, tmp_path):
    with pytest.raises(SemcomError, match="sqgan_paper_image.* are missing"):
        SqganPaperTraining.run(options(tmp_path, "tune", "--steps", "1"))


def test_both_learn_by_adam_as_published(options, tmp_path):
    training = SqganPaperTraining(options(tmp_path, "map", "--steps", "1"))
    for optimizer in training.optimizers:
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.9)
    assert (vector_quantiser.DECAY, vector_quantiser.COMMITMENT) == (0.99, 0.25)


def test_stages_last_200_epochs_and_tuning_100():
    """Of Cityscapes' 2975 frames, eight an update."""
    found = [updates(stage, 2975, 8) for stage in ("map", "image", "tune")]
    assert found == [200 * 372, 200 * 372, 100 * 372]


def test_the_rate_is_a_ten_thousandth_at_eight_samples_after_a_tenth_of_an_epoch():
    rate = rate_at(2975, 8, 74_400)
    assert max(map(rate, range(200))) == pytest.approx(1e-4, rel=1e-3)
    assert rate(10) < rate(20) < rate(36) <= 1e-4
    assert rate(74_399) < 1e-9 and rate(37_200) == pytest.approx(5e-5, rel=0.01)


def test_tuning_ends_when_frames_unseen_get_no_better():
    patience = Patience(2)
    assert [patience.better(score) for score in (3.0, 2.0, 2.5)] == [True, True, False]
    other = Patience(2)
    other.load_state_dict(patience.state_dict())
    assert not other.over and not other.better(2.1)
    assert other.over and other.best == 2.0 and not patience.over


def test_a_run_out_of_patience_stops_and_has_kept_the_best(options, tmp_path, monkeypatch):
    training = SqganPaperTraining(options(tmp_path, "map", "--steps", "9"))
    training.patience, saved = Patience(2), []
    monkeypatch.setattr(training, "save", saved.append)
    for step, score in enumerate((0.5, 0.4, 0.6, 0.7), 1):
        training.keep(step, {"unseen_error": score})
    assert saved == [1, 2] and training.over == 1.0


def test_a_file_that_is_no_vgg_is_a_sentence(tmp_path):
    with pytest.raises(SemcomError, match="give that"):
        perceptual.perceptual(tmp_path / "other.pth", tmp_path, torch.device("cpu"))
