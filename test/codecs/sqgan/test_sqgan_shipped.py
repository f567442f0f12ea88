# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN with the weights that ship: what crosses, and what a street looks like at the RSU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from codec_ends import Reading, Sending
from tiny_sqgan import without

from semcom_ros.codecs.sqgan import shared
from semcom_ros.datasets.scenes.drive import Drive
from semcom_ros.lab.metrics.confusion import psnr
from semcom_ros.lab.training.sqgan.split import SETTINGS
from semcom_ros.labels import TRAIN_ID, fold
from semcom_ros.payload import pack, unpack
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.weights import models_dir

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder():
    return Sending("sqgan")


@pytest.fixture(scope="module")
def decoder():
    return Reading("sqgan")


@pytest.fixture(scope="module")
def frame():
    street = Drive(1).render(20)
    [labels] = Segmenter.from_pretrained()([street.image])
    return replace(street, labels=labels)


def test_both_ends_take_at_most_ten_mebibytes():
    files = (shared.ENCODER_FILE, shared.DECODER_FILE)
    assert sum((models_dir() / file).stat().st_size for file in files) <= 10 * 2**20


@pytest.mark.parametrize("n_bytes", SETTINGS)
def test_at_every_setting_a_street_arrives_in_its_classes_and_colours(
    encoder, decoder, frame, n_bytes
):
    data = pack(encoder.encode(frame, n_bytes, 0))
    assert len(data) <= n_bytes
    known, shown = decoder.steps(unpack(data))
    assert known.image is None
    assert (known.labels == frame.labels).mean() > 0.9
    grey = np.full_like(frame.image, frame.image.mean())
    assert psnr(frame.image, shown.image) > psnr(frame.image, grey)


def test_the_image_comes_closer_with_every_part_that_arrives(encoder, decoder, frame):
    payload = encoder.encode(frame, 1200, 0)
    errors = []
    for arrived in range(3):
        shown = decoder.decode(without(payload, shared.IMAGE_PARTS[arrived:]))
        errors.append(np.abs(shown.image.astype(float) - frame.image).mean())
    assert errors[0] > errors[1] > errors[2]


def test_in_the_first_part_signs_poles_people_and_riders_together_have_more_than_their_area(
    encoder,
):
    """On the procedural drive, whose labels are exact."""
    area, kept = np.zeros(256), np.zeros(256)
    for seed in range(1, 9):
        street = Drive(seed).render(40)
        _, (scores,) = encoder.image_transmitter(street.image[np.newaxis], [street.labels])
        first = np.zeros(scores.size, bool)
        first[np.argsort(-scores.ravel())[: shared.IMAGE_LAYERS[0]]] = True
        covered = np.kron(first.reshape(scores.shape), np.ones((shared.STRIDE,) * 2, bool))
        labels = fold(street.labels)
        area += np.bincount(labels.ravel(), minlength=256)
        kept += np.bincount(labels[covered], minlength=256)
    relevant = [TRAIN_ID[name] for name in ("pole", "traffic sign", "person", "rider")]
    gain = (kept / kept.sum())[relevant].sum() / (area / area.sum())[relevant].sum()
    assert gain > 1.1
