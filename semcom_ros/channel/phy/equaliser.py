# SPDX-License-Identifier: Apache-2.0
"""What the receiver makes of a fade: an estimate of it from pilots, and symbols freed of it.

Everything here is in units of the payload's mean power: symbols, noise and pilots alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from semcom_ros.channel.phy.noise import complex_noise

FLOOR = np.float32(1e-12)
"""Least |gain|^2 the receiver reckons with, -120 dB, so that everything stays finite."""


class Estimate(NamedTuple):
    """What the receiver believes of n gains.

    gains: complex64 [n]. error: E|gain - estimate|^2, float32 [n], or one number for all. power:
    mean |gain|^2 as the receiver measures it.
    """

    gains: np.ndarray
    error: np.ndarray | np.float32
    power: float


class Equalised(NamedTuple):
    """symbols: complex64 [n]; noise_variance: E|symbol - sent symbol|^2 of each, float32 [n]."""

    symbols: np.ndarray
    noise_variance: np.ndarray


def mean_power(values: np.ndarray) -> float:
    """Mean |value|^2 of complex64 [n], n > 0; summed in float64, where no square overflows."""
    parts = values.view(np.float32)
    return float(np.einsum("i,i", parts, parts, dtype=np.float64)) / len(values)


def know(gains: np.ndarray) -> Estimate:
    """Perfect knowledge of the gains, complex64 [n]."""
    return Estimate(gains, np.float32(0), mean_power(gains))


def estimate(gains: np.ndarray, spacing: int, noise: float, rng: np.random.Generator) -> Estimate:
    """Estimate the gains, complex64 [n], from a pilot every `spacing` symbols and one at the end.

    The pilots meet noise of variance `noise` and tell the gain there by least squares. Where they
    scatter no more than their noise does, their mean is the better guess: each is pulled towards
    it by the linear minimum mean squared error estimate (Kay, "Fundamentals of statistical signal
    processing: estimation theory", 1993, section 12.3), the fade's variance taken from the pilots
    themselves; the mean likewise towards 0, E|h|^2 being 1. Straight lines join the results. What
    straight lines miss of the fade is part of the error; a receiver reckons it from its Doppler
    and delay spread, here it is measured. Pilots come on top of the n symbols.

    The error is true over Rayleigh fading. A steady path in fast motion makes it smaller than
    stated, and with it the equalised symbols' by up to a tenth: its circle is no Gaussian.
    """
    n = len(gains)
    spacing = min(spacing, n)
    at_pilots = gains[np.minimum(np.arange(0, n + spacing, spacing), n - 1)]
    missed = mean_power(gains - _join(at_pilots, spacing)[:n])

    pilots = at_pilots + complex_noise(rng, len(at_pilots), noise)
    count = len(pilots)
    mean = pilots.mean()
    scatter = mean_power(pilots - mean) * count / (count - 1)
    variance = max(scatter - noise, 0.0)
    # Between two pilots the noise of both averages out in part: to 2/3 of it over the line.
    weight = variance / (variance + noise * 2 / 3)
    trust = 1 / (1 + noise / count)
    points = np.complex64(weight) * pilots + np.complex64((1 - weight) * trust) * mean
    joined = _join(points, spacing)[:n]

    place = np.arange(spacing) / spacing
    of_noise = weight**2 * ((1 - place) ** 2 + place**2)
    of_pull = weight * (1 - weight) * 2 / 3
    of_mean = (1 - weight**2) * trust / count
    error = missed + noise * (of_noise + of_pull + of_mean)
    error = np.tile(error.astype(np.float32), count - 1)[:n]
    # The power cannot be told more exactly than the mean of the noise's power varies.
    power = max(mean_power(pilots) - noise, noise / count**0.5)
    return Estimate(joined, error, power)


def _join(points: np.ndarray, spacing: int) -> np.ndarray:
    """Straight lines from point to point, `spacing` values each, the last point left out."""
    place = (np.arange(spacing) / spacing).astype(np.float32)
    return (points[:-1, None] + np.diff(points)[:, None] * place).ravel()


def leave(received: np.ndarray, fade: Estimate, noise: float) -> Equalised:
    """The symbols h x + n as they came, with the variance of n."""
    return Equalised(received, np.full(len(received), noise, np.float32))


def force_zero(received: np.ndarray, fade: Estimate, noise: float) -> Equalised:
    """y / h: x without bias, however loud the noise gets in a fade."""
    gain = 1 / np.maximum(_power(fade.gains), FLOOR)
    return Equalised(np.conj(fade.gains) * received * gain, _disturbance(fade, noise) * gain)


def minimise_error(received: np.ndarray, fade: Estimate, noise: float) -> Equalised:
    """y h* / (|h|^2 + d), d being noise and channel error: the least mean squared error.

    It biases x towards 0; its error d / (|h|^2 + d) counts that in and never passes E|x|^2.
    """
    disturbance = _disturbance(fade, noise)
    gain = 1 / (_power(fade.gains) + disturbance)
    return Equalised(np.conj(fade.gains) * received * gain, disturbance * gain)


EQUALISERS: dict[str, Callable[[np.ndarray, Estimate, float], Equalised]] = {
    "mmse": minimise_error,
    "zf": force_zero,
    "none": leave,
}
"""Each takes the received symbols, complex64 [n], the estimated fade and the noise variance."""


def _power(gains: np.ndarray) -> np.ndarray:
    return gains.real**2 + gains.imag**2


def _disturbance(fade: Estimate, noise: float) -> np.ndarray | np.float32:
    # Where the receiver takes h for known, the error of h times x is noise to it.
    return np.float32(noise) + fade.error
