# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the sizes of its paper: how large it is, its losses, its three steps."""

from __future__ import annotations

import argparse
import json
from functools import partial

import numpy as np
import pytest
import torch

from semcom_ros.codecs.sqgan.paper.inference import (
    load_network,
    normalised,
    pixels,
)
from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    SqganPaperSizes,
    image_pipeline,
    map_pipeline,
)
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers import sqgan_losses as losses
from semcom_ros.lab.papers.sqgan import SqganPaperTraining
from semcom_ros.lab.papers.sqgan_draws import MaskedDraws, draw_fraction
from semcom_ros.lab.training import perceptual
from semcom_ros.labels import TRAIN_ID

NARROW = SqganPaperSizes(width=32, multipliers=(1, 1), blocks=1, dims=32, depth=1, hidden=8)
SIZE = (16, 32)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def draw(small_camvid):
    return MaskedDraws(open_source(small_camvid, "train"), SIZE, 7, 2)[0]


def test_fractions_are_those_of_the_released_code():
    rng = np.random.default_rng(0)
    drawn = [draw_fraction(rng, "code") for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.42, abs=0.02)
    shares = [np.mean(np.isclose(drawn, f)) for f in (0.05, 0.2875, 0.525, 0.7625, 1.0)]
    assert shares == pytest.approx([0.02, 0.53, 0.35, 0.08, 0.02], abs=0.02)


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
    fake, real = losses.judged(passed, draw, "image")
    residual = real - passed.output
    torch.testing.assert_close(real - fake, 0.15 * residual, atol=1e-4, rtol=1e-3)
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


def test_the_three_steps_train_one_after_the_other(options, tmp_path, capsys):
    for step in ("map", "image", "tune"):
        SqganPaperTraining.run(options(tmp_path, step, "--steps", "1"))
        line = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert line["step"] == 1 and np.isfinite(line["error"])
    card = json.loads((tmp_path / "models" / "sqgan_paper_tune.json").read_text())
    assert card["perceptual"] == "features of our own segmenter" and card["updates"] == 1
    assert "--data camvid:DIR" in card["recipe"] and "--stage tune" in card["recipe"]
    models = tmp_path / "models"
    assert load_network(models, "tune", size=(32, 64)).receiver.decoder.last.out_channels == 3
    with pytest.raises(SemcomError, match="were trained at 32x64, not 256x512"):
        load_network(models, "tune")
    (models / "sqgan_paper_tune.json").write_text(json.dumps(card | {"pipeline": "sound"}))
    with pytest.raises(SemcomError, match="names no pipeline"):
        load_network(models, "tune", size=(32, 64))


def test_a_step_before_that_is_missing_is_a_sentence(options, tmp_path):
    with pytest.raises(SemcomError, match="sqgan_paper_image.* are missing"):
        SqganPaperTraining.run(options(tmp_path, "tune", "--steps", "1"))


def test_a_state_of_another_run_is_refused(options, tmp_path):
    SqganPaperTraining.run(options(tmp_path, "map", "--steps", "1"))
    with pytest.raises(SemcomError, match="go on with it by --resume"):
        SqganPaperTraining.run(options(tmp_path, "map", "--steps", "2"))
    with pytest.raises(SemcomError, match="is at step 1"):
        SqganPaperTraining.run(options(tmp_path, "map", "--steps", "1", "--resume"))


def test_a_file_that_is_no_vgg_is_a_sentence(tmp_path):
    with pytest.raises(SemcomError, match="give that"):
        perceptual.perceptual(tmp_path / "other.pth", tmp_path, torch.device("cpu"))
