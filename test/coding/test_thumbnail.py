# SPDX-License-Identifier: Apache-2.0
"""The thumbnail: exact length, any bytes decode, more bytes are better."""

import cv2
import numpy as np
import pytest

from semcom_ros.coding import thumbnail
from semcom_ros.datasets.scenes.drive import Drive


@pytest.fixture(scope="module")
def statistics():
    frames = [Drive(seed).render(5 * i).image for seed in range(3) for i in range(6)]
    return thumbnail.CoefficientStatistics.of(np.stack(frames))


def error(image, thumbnail):
    small = cv2.resize(image, (32, 16), interpolation=cv2.INTER_AREA) / 255
    return float(np.sqrt(np.mean((small - thumbnail) ** 2)))


def test_the_code_has_exactly_the_bytes_asked_for(statistics):
    image = Drive(7).render(0).image
    assert [len(thumbnail.encode(image, n, statistics)) for n in (1, 16, 64)] == [1, 16, 64]


def test_more_bytes_give_a_truer_thumbnail_and_all_beat_the_typical_one(statistics):
    image = Drive(7).render(0).image
    errors = [error(image, thumbnail.typical(statistics))]
    for n in (16, 32, 64):
        code = thumbnail.encode(image, n, statistics)
        errors.append(error(image, thumbnail.decode(code, statistics)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_any_bytes_give_a_valid_thumbnail(statistics):
    rng = np.random.default_rng(0)
    for n in (0, 1, 63, 64, 1000):
        picture = thumbnail.decode(rng.bytes(n), statistics)
        assert picture.shape == (16, 32, 3) and np.isfinite(picture).all()
        assert picture.min() >= 0 and picture.max() <= 1


def test_bits_are_shared_out_by_spread_and_sum_up(statistics):
    bits = statistics.share(8 * 64)
    assert bits.sum() == 512 and bits.max() <= thumbnail.MAX_BITS
    wide, narrow = np.argmax(statistics.log_spread), np.argmin(statistics.log_spread)
    assert bits[wide] > bits[narrow]
