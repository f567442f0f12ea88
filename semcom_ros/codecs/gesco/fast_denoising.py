# SPDX-License-Identifier: Apache-2.0
"""Fast denoising of a semantic map (FDS) that was received as noisy one-hot planes.

`paper`: the pooling of Grassucci, Barbarossa, Comminiello, "Generative semantic communication:
diffusion models beyond bit recovery", arXiv 2306.04321, as in their code. `auto`: the chance of
every class at every pixel, from what was received there and from the classes around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from scipy.special import erfc

from semcom_ros.errors import SemcomError, choose
from semcom_ros.labels import CLASSES

PASSES = 4
"""Times that the posteriors of the classes go out to the pixels around."""
REACH = (0.8, 2.0)
"""Standard deviations in pixels, across and down, of one pass: poles and people are upright."""
WINDOW = (5, 9)
"""Pixels of the filter, across and down, that holds them."""
DOUBT = 1e-4
"""Expected share of wrong pixels below which the map is left as received: about 15 dB."""
LEAST_VARIANCE = 1e-3
"""Noise taken for granted, so that a clean plane says yes or no with a finite weight."""
LEAST_SHARE = 1e-3
"""Share of its neighbourhood that every class keeps."""
LEAST_LOG_LIKELIHOOD = -50
"""Log-likelihood that no class falls below: its chance stays far from slow denormal numbers."""
AREAS = {"auto": 38, "paper": 9}
"""Pixels that in effect speak for one: their mean errs as often as "auto" does on CamVid val; the
published pooling has a mean of 9."""
LARGEST = 1e4
"""Received values are clipped to this, so that no square of one overflows."""


def denoise(
    planes: np.ndarray,
    present: Sequence[int],
    classes: int = len(CLASSES),
    fds: str = "auto",
    noise_variance: float | np.ndarray | None = None,
) -> np.ndarray:
    """Planes float32 [classes, H, W] from received ones, float32 [len(present), H, W].

    present: the class of each received plane, 0 to classes - 1; the other classes come out 0.
    fds: "auto" gives posteriors that sum to 1 at every pixel, "paper" sums of no fixed size.
    noise_variance: of Gaussian noise on the received values, whose scale is 0 to 1; one number or
    an array that broadcasts to `planes`, infinite where nothing was received. None: "auto"
    estimates it, different for ones and zeros, from the planes; "paper" never needs it.

    Something always comes out of planes of the right shape. NaN counts as 0. Where all planes are
    alike (all 0, or a class that `present` lacks) the classes around fill in; with nothing around
    either, every present class is equally likely. From PSNR -20 dB come patches without meaning.
    Raises SemcomError for planes and classes that do not belong together, and for a variance that
    is negative or NaN.
    """
    choose(fds, ("auto", "paper"), "fast denoising")
    _check(planes, present, classes)
    received = _cleaned(planes)
    denoised = np.zeros((classes, *planes.shape[1:]), np.float32)
    if fds == "paper":
        denoised[list(present)] = pool(received)
        return denoised
    if noise_variance is None:
        log_likelihoods = _log_likelihoods(received, *estimate_variances(received))
    else:
        if not np.min(noise_variance) >= 0:
            raise SemcomError("A noise variance is negative or NaN: give 0 or more, or none.")
        log_likelihoods = (received - 0.5) / np.maximum(
            noise_variance, LEAST_VARIANCE, dtype=np.float32
        )
    denoised[list(present)] = _posteriors(log_likelihoods)
    return denoised


def reliability(
    planes: np.ndarray, fds: str = "auto", noise_variance: np.ndarray | None = None
) -> np.ndarray:
    """Share of pixels that denoising finds right, float32 [H, W] in 0..1, hardly ever too kind.

    Posteriors alone do not say: in noise that drowns the map they settle on patches of one class.
    Errors of the mean of `AREAS` values against one other class count for each other class.
    planes, fds and noise_variance: as in `denoise`.
    """
    received = _cleaned(planes)
    if noise_variance is None:
        precision = np.full(received.shape[1:], 1 / max(estimate_variances(received)[1], 1e-6))
    else:
        precision = (1 / np.maximum(noise_variance, LEAST_VARIANCE)).mean(0)
        precision = cv2.blur(precision, (7, 7), borderType=cv2.BORDER_REPLICATE)
    error = erfc(np.sqrt(AREAS[fds] * precision) / 2) / 2
    return np.clip(1 - (len(received) - 1) * error, 0, 1).astype(np.float32)


def _cleaned(planes: np.ndarray) -> np.ndarray:
    """A copy of the values without NaN and beyond no bound, whatever came over the air."""
    received = np.ascontiguousarray(planes, np.float32).clip(-LARGEST, LARGEST)
    cv2.patchNaNs(received.reshape(len(received), -1), 0)
    return received


def pool(planes: np.ndarray) -> np.ndarray:
    """Average pool 3 with zeros around the map, then max pool 3, stride 1: float32 [n, H, W]."""
    square = np.ones((3, 3), np.uint8)
    pooled = np.empty_like(planes)
    for plane, to in zip(planes, pooled, strict=True):
        to[:] = cv2.dilate(cv2.blur(plane, (3, 3), borderType=cv2.BORDER_CONSTANT), square)
    return pooled


def estimate_variances(planes: np.ndarray) -> tuple[float, float]:
    """Noise variance of zeros and of ones in one-hot planes float32 [n, H, W] with noise.

    By moments: of a pixel's values, a share s is 1 and n - s are 0, so that the sum of their
    squares is s (1 + v1) + (n - s) v0. Noise is symmetric about 0, so that half of (n - s) v0 is
    in the negative values, with a few that a 1 has left there.
    """
    pixels = planes[0].size
    share = float(np.clip(planes.sum(dtype=np.float64) / pixels, 0.01, 1))
    zeros = max(len(planes) - share, 0.01)
    flat = planes.ravel()
    energy = float(flat @ flat) / pixels
    below = np.minimum(flat, 0)
    negative = float(below @ below) / pixels
    of_zeros = of_ones = 0.0
    for _ in range(5):
        of_zeros = max(2 * (negative - share * _below_zero(of_ones)) / zeros, 0)
        of_ones = max((energy - zeros * of_zeros) / share - 1, of_zeros)
    return of_zeros, of_ones


def _below_zero(variance: float) -> float:
    """E[min(x, 0)^2] of x with mean 1 and `variance`, Gaussian."""
    if variance < LEAST_VARIANCE:
        return 0.0
    deviation = variance**0.5
    tail = math.erfc(1 / (deviation * 2**0.5)) / 2
    density = math.exp(-1 / (2 * variance)) / (2 * math.pi) ** 0.5
    return max((1 + variance) * tail - deviation * density, 0)


def _log_likelihoods(planes: np.ndarray, of_zeros: float, of_ones: float) -> np.ndarray:
    """log p(value | 1) - log p(value | 0), less what all classes share: float32 [n, H, W]."""
    v0 = max(of_zeros, LEAST_VARIANCE)
    v1 = max(of_ones, v0)
    excess = 1 / v0 - 1 / v1
    # Two Gaussians of different width cross twice; below the turning point a value is no better
    # a sign of a 1 than there, since counted photons never push a 1 below 0.
    value = np.maximum(planes, -1 / (v1 * excess)) if excess > 0 else planes
    return value * (value * np.float32(excess / 2) + np.float32(1 / v1))


def _posteriors(log_likelihoods: np.ndarray) -> np.ndarray:
    """Posteriors float32 [n, H, W] of the classes from their log-likelihoods, which it overwrites.

    Prior of a pixel: the share of a class around it, cubed, since pixels side by side do not
    err alike but are alike. Its posterior is the next pass's neighbourhood: mean-field inference
    (Blake, Kohli, Rother, "Markov Random Fields for Vision and Image Processing", MIT Press 2011,
    chapter 5) with a filter for the messages.
    """
    log_likelihoods -= log_likelihoods.max(0)
    np.maximum(log_likelihoods, LEAST_LOG_LIKELIHOOD, out=log_likelihoods)
    flat = log_likelihoods.reshape(len(log_likelihoods), -1)
    likelihood = cv2.exp(flat, dst=flat).reshape(log_likelihoods.shape)
    posteriors = likelihood / likelihood.sum(0)
    if 1 - posteriors.max(0).mean(dtype=np.float64) < DOUBT:
        return posteriors
    shares = np.empty_like(posteriors)
    for _ in range(PASSES):
        for plane, share in zip(posteriors, shares, strict=True):
            cv2.GaussianBlur(
                plane, WINDOW, REACH[0], dst=share, sigmaY=REACH[1], borderType=cv2.BORDER_REPLICATE
            )
        shares += np.float32(LEAST_SHARE)
        np.multiply(shares, shares, out=posteriors)
        posteriors *= shares
        posteriors *= likelihood
        posteriors /= posteriors.sum(0)
    return posteriors


def _check(planes: np.ndarray, present: Sequence[int], classes: int) -> None:
    """Raise SemcomError unless `planes` are maps of the classes `present`."""
    if planes.ndim != 3 or planes.size == 0 or len(planes) != len(present):
        raise SemcomError(
            f"Received planes of shape {planes.shape} are no maps of {len(present)} classes: "
            "the set of classes must name one class for each plane, and at least one."
        )
    if len(set(present)) < len(present) or min(present) < 0 or max(present) >= classes:
        raise SemcomError(
            f"The classes {[int(c) for c in present]} name one twice or one outside 0 to "
            f"{classes - 1}: the set of classes was received wrong."
        )
