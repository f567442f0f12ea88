# SPDX-License-Identifier: Apache-2.0
"""Noise on a map itself, sent as one-hot planes, with which GESCO was evaluated.

Grassucci, Barbarossa, Comminiello, "Generative semantic communication: diffusion models beyond
bit recovery", arXiv 2306.04321, equation 15 and table VI.

Definition: PSNR = 10 log10(P / sigma^2). P, the power of a map, is the mean over its pixels of
the squares summed over the classes: 1 for one-hot planes, so that it is their peak power too.
sigma^2 is the variance of the noise on a value of 1; in Gaussian noise that is every value's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from semcom_ros.errors import SemcomError


def gaussian(planes: np.ndarray, psnr_db: float, rng: np.random.Generator) -> np.ndarray:
    """`planes`, float32 [classes, height, width], with independent noise on every value."""
    return planes + _white(planes.shape, _variance(planes, psnr_db), rng)


def poisson(planes: np.ndarray, psnr_db: float, rng: np.random.Generator) -> np.ndarray:
    """`planes` counted as photons: sigma^2 Poisson(v / sigma^2) for value v.

    The mean is v and the variance sigma^2 v: what is 0 stays 0. Raises SemcomError for values
    below 0.
    """
    return _count(planes, _variance(planes, psnr_db), rng)


def poisson_gaussian(planes: np.ndarray, psnr_db: float, rng: np.random.Generator) -> np.ndarray:
    """Photons counted by a noisy sensor: variance (v + 1) sigma^2 / 2 of value v.

    The model of Foi, Trimeche, Katkovnik, Egiazarian, "Practical Poissonian-Gaussian noise
    modeling and fitting", IEEE Trans. Image Process. 17(10), 2008, with half of sigma^2 to each
    noise. Raises SemcomError for values below 0.
    """
    half = _variance(planes, psnr_db) / 2
    return _count(planes, half, rng) + _white(planes.shape, half, rng)


RELEASED_DEVIATIONS = {
    100: 0.0,
    30: 0.05,
    25: 0.08,
    20: 0.13,
    15: 0.22,
    10: 0.36,
    5: 0.6,
    1: 0.9,
}
"""The table of the authors' released code: label -> standard deviation of the noise on a plane.

Published figures used it. A label is no PSNR: deviation 0.36, named 10, is 8.9 dB."""


def gaussian_released(planes: np.ndarray, label: float, rng: np.random.Generator) -> np.ndarray:
    """As `gaussian`, with the standard deviation that the released code has for `label`.

    Raises SemcomError for a label that its table lacks.
    """
    if label not in RELEASED_DEVIATIONS:
        labels = ", ".join(map(str, RELEASED_DEVIATIONS))
        raise SemcomError(f"The released code has no noise {label:g}: it has {labels}.")
    return planes + _white(planes.shape, RELEASED_DEVIATIONS[label] ** 2, rng)


MAP_NOISES: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "gaussian": gaussian,
    "poisson": poisson,
    "poisson_gaussian": poisson_gaussian,
    "gaussian_released": gaussian_released,
}
"""Each takes planes, float32 [classes, height, width], a PSNR in dB and a generator."""


def receive_map(
    labels: np.ndarray, psnr_db: float, seed: int | tuple[int, ...], noise: str = "gaussian"
) -> tuple[np.ndarray, np.ndarray]:
    """Planes float32 [n, H, W] of the n classes in `labels` as they arrive, and these classes."""
    present = np.unique(labels)
    one_hot = (labels == present[:, None, None]).astype(np.float32)
    return MAP_NOISES[noise](one_hot, psnr_db, np.random.default_rng(seed)), present


def _variance(planes: np.ndarray, psnr_db: float) -> float:
    """sigma^2 at `psnr_db`."""
    pixels = planes[0].size
    return float(np.sum(np.square(planes), dtype=np.float64)) / pixels * 10 ** (-psnr_db / 10)


def _white(shape: tuple[int, ...], variance: float, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32) * np.float32(variance**0.5)


def _count(planes: np.ndarray, photon: float, rng: np.random.Generator) -> np.ndarray:
    """Count photons that are worth `photon` each."""
    if not planes.min() >= 0:
        raise SemcomError("Poisson noise needs a map without values below 0 and without NaN.")
    if photon == 0:
        return planes.copy()
    return rng.poisson(planes / photon).astype(np.float32) * np.float32(photon)
