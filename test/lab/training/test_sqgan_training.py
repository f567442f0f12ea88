# SPDX-License-Identifier: Apache-2.0
"""What SQ-GAN's training promises: masks, codebook, weights of classes, enhancement, one seed."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
from tiny_sqgan import SIZES, tiny

from semcom_ros.codecs.sqgan import shared
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.masking import Adm, Samm, keep, opening, rescaled
from semcom_ros.codecs.sqgan.pipeline import image_pipeline, shares_of
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.adversarial import Discriminator
from semcom_ros.lab.training.data import CAMVID_CLASSES
from semcom_ros.lab.training.loop import read_state
from semcom_ros.lab.training.perceptual import FeatureLoss
from semcom_ros.lab.training.sqgan import learning as weighing
from semcom_ros.lab.training.sqgan.batches import MapLink, Transmission, draw_fractions
from semcom_ros.lab.training.sqgan.learning import ImageLearning, MapLearning, give_back
from semcom_ros.lab.training.sqgan.training import SqganTraining
from semcom_ros.labels import TRAIN_ID
from semcom_ros.layers.attention import SelfAttention
from semcom_ros.layers.vector_quantiser import VectorQuantiser, nearest
from semcom_ros.perception import segmentation
from semcom_ros.weights import models_dir, read_card

N = len(CAMVID_CLASSES)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def streets():
    """Two of them: image and labels."""
    return [(f.image, f.labels) for f in (Drive(seed).render(0) for seed in (100, 101))]


def batch_of(streets, seed=0, enhanced=False, link=None):
    transmission = Transmission(CAMVID_CLASSES, (64, 128), enhanced, link)
    return transmission(streets, np.random.default_rng(seed))


def test_the_highest_scores_are_kept_whatever_fraction():
    scores = torch.rand(3, 1, 4, 8)
    kept = keep(scores, torch.tensor([0.0, 0.25, 1.0]))
    assert kept.sum((1, 2, 3)).tolist() == [0, 8, 32]
    assert scores[1][kept[1]].min() > scores[1][~kept[1]].max()


def test_latents_are_scaled_by_their_scores():
    features, scores = torch.randn(1, 16, 2, 2), torch.rand(1, 1, 2, 2)
    scaled = rescaled(features, scores)
    torch.testing.assert_close(scaled.mean(1), torch.zeros(1, 2, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(scaled.std(1, correction=0), scores[:, 0], atol=1e-3, rtol=0)


def test_samm_reads_the_map_unless_told_not_to():
    features, shares = torch.randn(1, 8, 2, 4), torch.rand(1, 3, 2, 4)
    for score, differs in (("conditioned", True), ("unconditioned", False)):
        samm = Samm(8, 3, 8, score).eval()
        with torch.no_grad():
            a, b = samm(features, shares), samm(features, shares.flip(1))
        assert (a != b).any() == differs and 0 <= a.min() and a.max() <= 1


def test_missing_positions_are_heard_ever_more_from_layer_to_layer():
    weights = [opening(layer) for layer in range(8)]
    np.testing.assert_allclose(
        weights, [0.02, 0.1414, 0.3761, 0.6133, 0.7831, 0.8849, 0.9407, 0.9699], atol=1e-4
    )


def test_a_position_that_is_not_heard_tells_the_others_nothing():
    torch.manual_seed(0)
    attention = SelfAttention(8, 2).eval()
    torch.nn.init.normal_(attention.out.weight)
    heard = torch.ones(1, 1, 2, 2)
    heard[..., 0, 0] = 0
    x = torch.randn(1, 8, 2, 2)
    with torch.no_grad():
        project, out = attention.project, attention.out
        query, key, value = project(x).reshape(3, 2, 4, 4).transpose(-1, -2)
        weights = (query @ key.transpose(-1, -2) / 2).softmax(-1)
        weights = weights * heard.reshape(1, 1, 4)
        seen = (weights @ value).transpose(-1, -2).reshape(1, 8, 2, 2)
        torch.testing.assert_close(attention(x, heard), x + out(seen))


def test_where_nothing_came_adm_sees_one_placeholder():
    adm = Adm(4, 32, 2, 1).eval()
    kept = torch.zeros(1, 1, 4, 8)
    with torch.no_grad():
        a, b = (adm(torch.randn(1, 4, 4, 8), kept) for _ in range(2))
    torch.testing.assert_close(a, b)


def test_the_codebook_follows_the_vectors_and_dead_codewords_start_again():
    torch.manual_seed(0)
    quantiser = VectorQuantiser(8, 2)
    quantiser.codebook += 50
    centres = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    kept = torch.ones(4, 1, 8, 8, dtype=torch.bool)
    for _ in range(400):
        chosen = centres[torch.randint(4, (4, 8, 8))] + 0.1 * torch.randn(4, 8, 8, 2)
        quantiser(chosen.permute(0, 3, 1, 2), kept)
    assert torch.cdist(centres, quantiser.codebook).min(1).values.max() < 0.3
    used = nearest(chosen, quantiser.codebook).unique()
    assert len(used) >= 6


def test_vectors_that_are_not_kept_teach_the_codebook_nothing():
    quantiser = VectorQuantiser(4, 2)
    before = quantiser.codebook.clone()
    found = quantiser(torch.randn(1, 2, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.bool))
    # What no one uses fades alike in count and sum, and stays where it is.
    torch.testing.assert_close(quantiser.codebook, before)
    assert found.loss == 0


def test_quantising_passes_gradients_straight_through():
    vectors = torch.randn(1, 2, 4, 4, requires_grad=True)
    codes = VectorQuantiser(4, 2)(vectors, torch.ones(1, 1, 4, 4, dtype=torch.bool)).codes
    (3 * codes).sum().backward()
    assert torch.equal(vectors.grad, torch.full_like(vectors, 3))


def test_in_half_precision_training_hears_the_codewords_that_the_ends_decode():
    quantiser = VectorQuantiser(64, 8).eval()
    vectors = (3 * torch.randn(2, 8, 8, 8)).bfloat16()
    codes, _, indices = quantiser(vectors, torch.ones(2, 1, 8, 8, dtype=torch.bool))
    assert torch.equal(codes, quantiser.look_up(indices).bfloat16())


def test_the_discriminator_is_given_back_the_residual_of_classes_not_worth_bits():
    table = weighing.class_table(weighing.GIVEN_BACK, 0.0)
    found = {name: float(table[TRAIN_ID[name]]) for name in ("sky", "vegetation", "road", "car")}
    assert found == pytest.approx({"sky": 0.85, "vegetation": 0.85, "road": 0.425, "car": 0})
    image, target = torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, 2)
    seen = give_back(image, target, torch.tensor([0.85, 0.0]).reshape(1, 1, 1, 2))
    assert seen[0, 0, 0].tolist() == pytest.approx([0.85, 0])


def test_weights_of_classes_are_those_published():
    """The released configuration: cross-entropy of the map, absolute error of the image."""
    named = {"road": (0.5, 0.15), "pole": (0.5, 0.15), "car": (0.5, 0.15), "bicycle": (0.5, 0.15),
             "traffic light": (1, 1), "traffic sign": (1, 1), "person": (0.85, 0.55),
             "rider": (0.85, 0.55), "sky": (0.2, 0), "vegetation": (0.2, 0)}  # fmt: skip
    maps = weighing.class_table(weighing.MAP_WEIGHTS, weighing.MAP_OTHERS)
    images = weighing.class_table(weighing.IMAGE_WEIGHTS, weighing.IMAGE_OTHERS)
    for name, expected in named.items():
        at = TRAIN_ID[name]
        assert (maps[at], images[at]) == pytest.approx(expected), name


@pytest.mark.parametrize(("floor", "sky"), [("published", 0.0), ("floored", 1.0)])
def test_sky_and_vegetation_cost_the_image_nothing_unless_their_weight_is_floored(floor, sky):
    """The shipped network was trained with the floor: its cards name the option."""
    learning = ImageLearning(tiny()["image"], Discriminator(N, 8), None, floor=floor)
    weights = {name: float(learning.weight[TRAIN_ID[name]]) for name in ("sky", "road", "person")}
    assert weights == pytest.approx({"sky": sky, "road": 1.0, "person": 0.55 / 0.15})
    card = read_card(models_dir() / shared.DECODER_FILE, "")
    tuned = [line for line in card["recipe"] if "--stage tune" in line]
    assert all("--class-weights floored" in line for line in tuned) and tuned


def test_fractions_range_from_nothing_to_everything():
    drawn = draw_fractions(np.random.default_rng(0), 4000)
    assert drawn.min() == 0 and drawn.max() == 1
    assert 0.02 < (drawn == 0).mean() < 0.08 and 0.3 < drawn.mean() < 0.5


def test_maps_arrive_as_they_are_until_the_image_is_tuned(streets):
    true = batch_of(streets)
    assert torch.equal(true.sent, true.received)
    pipeline = tiny()["map"]
    codebook = pipeline.quantiser.codebook
    ends = (
        MapTransmitter(pipeline.transmitter, codebook, CAMVID_CLASSES),
        MapReceiver(pipeline.receiver, codebook, CAMVID_CLASSES),
    )
    for share in (0.0, 1.0):
        link = MapLink(ends, share)
        decoded = batch_of(streets, link=link)
        assert torch.equal(decoded.sent, true.sent)
        assert not torch.equal(decoded.received, decoded.sent)


def learn(streets, kind, updates=3, **choices):
    torch.manual_seed(3)
    pipeline, discriminator = tiny(3, **choices)[kind], Discriminator(N, 8)
    if kind == "map":
        learning = MapLearning(pipeline, discriminator, torch.ones(N))
    else:
        features = FeatureLoss(models_dir() / segmentation.FILE)
        learning = ImageLearning(pipeline, discriminator, features)
    batch = batch_of(streets, enhanced=True)
    seen = [learning.update(batch, 1e-2, 0.1 if at else 0.0) for at in range(updates)]
    return learning, seen


def masters(learning, name="network"):
    return learning.trainers[name].masters


@pytest.mark.parametrize(("kind", "loss"), [("map", "entropy"), ("image", "l1")])
def test_training_is_the_same_twice_by_its_seed_and_learns(streets, kind, loss):
    (learning, seen), (again, same) = (learn(streets, kind, updates=6) for _ in range(2))
    assert seen == same
    for a, b in zip(masters(learning), masters(again), strict=True):
        assert torch.equal(a, b)
    assert seen[-1][loss] < seen[0][loss]
    assert learning.network.quantiser.codebook.dtype == torch.float32


def test_scores_learn_also_where_a_vector_was_left_out(streets):
    batch = batch_of(streets)
    pipeline = image_pipeline(N, **SIZES)
    shares, image = batch.sent.float(), batch.image.permute(0, 3, 1, 2) / 255
    torch.nn.init.normal_(pipeline.receiver.decoder.to_image.weight, std=0.1)
    passed = pipeline((image, shares), shares_of(shares), torch.zeros(2), (shares,))
    assert not passed.kept.any()
    passed.output.square().mean().backward()
    assert pipeline.transmitter.samm.score.weight.grad.abs().max() > 0


def test_a_random_mask_does_not_follow_the_scores(streets):
    pipeline = tiny(mask="random")["image"].eval()
    batch = batch_of(streets)
    shares, image = batch.sent.float(), batch.image.permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        a, b = (
            pipeline((image, shares), shares_of(shares), torch.full((2,), 0.3), (shares,)).kept
            for _ in range(2)
        )
    assert a.sum() == b.sum() and not torch.equal(a, b)


def test_a_discriminator_goes_on_with_another_pipeline(streets):
    taught, _ = learn(streets, "image")
    other, _ = learn(streets, "image", updates=1)
    before = [master.clone() for master in masters(other)]
    state = taught.trainers["discriminator"].state()
    other.trainers["discriminator"].restore(state, weights_alone=True)
    pairs = zip(masters(taught, "discriminator"), masters(other, "discriminator"), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert all(torch.equal(a, b) for a, b in zip(before, masters(other), strict=True))
    assert other.trainers["discriminator"].steps == 0


def test_tuning_asks_for_the_discriminator_of_the_image(tmp_path):
    with pytest.raises(SemcomError, match="--stage image"):
        read_state(tmp_path / "image.state", "train `--stage image` first")


def test_the_ends_of_training_and_of_the_codec_are_one(streets):
    pipeline = tiny()["image"].eval()
    codebook = pipeline.quantiser.codebook
    sender = ImageTransmitter(pipeline.transmitter, codebook, CAMVID_CLASSES)
    receiver = ImageReceiver(pipeline.receiver, codebook, CAMVID_CLASSES)
    image, labels = streets[0]
    (indices,), (scores,) = sender(image[None], [labels])
    (shown,) = receiver([indices], [np.ones(scores.shape, bool)], [labels])
    shares = torch.from_numpy(sender.class_shares.of_labels(labels))[None]
    seen = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        passed = pipeline((seen, shares), shares_of(shares), torch.ones(1), (shares,))
    assert (passed.indices[0].numpy() == indices).mean() > 0.8
    expected = passed.output[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255
    assert np.abs(expected - shown).mean() < 6


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["--steps", "-1"], "start at 1"), (["--crop", "100", "128"], "multiples of 32")],
)
def test_options_that_do_not_fit_are_a_sentence_before_anything_is_read(words, sentence):
    parser = argparse.ArgumentParser()
    SqganTraining.add_arguments(parser)
    args = parser.parse_args(["--camvid", "/nowhere", "--stage", "image", *words])
    with pytest.raises(SemcomError, match=sentence):
        SqganTraining.run(args)
