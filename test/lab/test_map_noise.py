# SPDX-License-Identifier: Apache-2.0
"""The noises that a one-hot map is sent through, against their definitions, with fixed seeds."""

from __future__ import annotations

import numpy as np
import pytest

from semcom_ros.errors import SemcomError
from semcom_ros.lab.map_noise import (
    MAP_NOISES,
    gaussian,
    gaussian_released,
    poisson,
    poisson_gaussian,
)


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


def one_hot(scale: float = 1.0) -> np.ndarray:
    labels = np.random.default_rng(7).integers(0, 5, (100, 200))
    return np.float32(scale) * (labels == np.arange(5)[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("psnr_db", [1.0, 10.0, 20.0])
def test_gaussian_noise_on_a_map_has_its_psnr(psnr_db: float) -> None:
    for scale in (1.0, 3.0):
        planes = one_hot(scale)
        noise = gaussian(planes, psnr_db, np.random.default_rng(1)) - planes
        assert decibels(scale**2 / noise.var()) == pytest.approx(psnr_db, abs=0.1)


@pytest.mark.parametrize("psnr_db", [1.0, 10.0, 20.0])
def test_poisson_noise_on_a_map_varies_as_the_value_and_spares_zeros(psnr_db: float) -> None:
    planes = one_hot()
    noisy = poisson(planes, psnr_db, np.random.default_rng(1))
    assert (noisy[planes == 0] == 0).all()
    assert noisy[planes == 1].mean() == pytest.approx(1, rel=0.02)
    assert noisy[planes == 1].var() == pytest.approx(10 ** (-psnr_db / 10), rel=0.05)


def test_the_mixture_has_half_its_variance_from_each_noise() -> None:
    planes = one_hot()
    noise = poisson_gaussian(planes, 10.0, np.random.default_rng(1)) - planes
    assert noise[planes == 0].var() == pytest.approx(0.05, rel=0.05)
    assert noise[planes == 1].var() == pytest.approx(0.10, rel=0.05)


@pytest.mark.parametrize("name", ["gaussian", "poisson", "poisson_gaussian"])
def test_noise_on_an_empty_map_is_none(name: str) -> None:
    planes = np.zeros((3, 4, 5), np.float32)
    noisy = MAP_NOISES[name](planes, 10.0, np.random.default_rng(1))
    assert noisy.dtype == np.float32 and not noisy.any()


def test_the_released_codes_noise_is_louder_than_its_label_says() -> None:
    noise = gaussian_released(one_hot(), 10.0, np.random.default_rng(1)) - one_hot()
    assert noise.std() == pytest.approx(0.36, rel=0.01)
    assert decibels(1 / noise.var()) < 10
    with pytest.raises(SemcomError, match="has no noise 12"):
        gaussian_released(one_hot(), 12.0, np.random.default_rng(1))


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_a_map_that_cannot_be_counted_is_refused(value: float) -> None:
    with pytest.raises(SemcomError, match="below 0"):
        poisson(np.full((2, 3, 3), value, np.float32), 10.0, np.random.default_rng(1))
