# SPDX-License-Identifier: Apache-2.0
"""Symbols through the air, faded and noisy, and what the receiver makes of them by what it knows.

Fades, noise and pilots are in units of the payload's mean power.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from semcom_ros.channel.fading.propagation import Gains
from semcom_ros.errors import choose

CSI = ("perfect", "estimated")
"""What the receiver may know of the fade."""
FLOOR = np.float32(1e-12)
"""Least |gain|^2 the receiver reckons with, -120 dB, so that everything stays finite."""
_LARGEST, _SILENCE = np.finfo(np.float32).max, np.finfo(np.float32).tiny


class Estimate(NamedTuple):
    """What the receiver believes of n gains.

    gains: complex64 [n]. error: E|gain - estimate|^2, float32 [n]. power: mean |gain|^2 as the
    receiver measures it.
    """

    gains: np.ndarray
    error: np.ndarray
    power: float

    def at(self, places: np.ndarray | slice) -> Estimate:
        """Of the gains at `places` alone."""
        return self._replace(gains=self.gains[places], error=self.error[places])


class Equalised(NamedTuple):
    """symbols: complex64 [n]; noise_variance: E|symbol - sent symbol|^2 of each, float32 [n]."""

    symbols: np.ndarray
    noise_variance: np.ndarray


def noise_power(snr_db: float, gains: Gains) -> float:
    """Noise and inter-carrier interference of a symbol of unit mean power."""
    return 10 ** (-snr_db / 10) + gains.interference


def measured_snr_db(fade: Estimate, noise: float) -> float:
    """The mean SNR that the receiver reports, dB."""
    return 10 * math.log10(max(fade.power, float(FLOOR)) / noise)


def transmit_symbols(
    sent: np.ndarray,
    gains: np.ndarray,
    fade: Estimate,
    noise: float,
    equaliser: str,
    rng: np.random.Generator,
) -> Equalised:
    """Send symbols complex64 [n], n > 0, over `gains` complex64 [n]: y = h x + n, then equalised.

    fade: what the receiver knows of the gains (`observe`). noise: E|n|^2 over E|x|^2, which is the
    mean over these n symbols, known to the receiver. equaliser: a name of `EQUALISERS`; with "none"
    the variance is E|symbol - h x|^2. Everything returned is finite. Raises SemcomError for an
    unknown name.
    """
    equalise = EQUALISERS[choose(equaliser, EQUALISERS, "equaliser")]
    power = mean_power(sent)
    amplitude = math.sqrt(power)
    # In units of its own power a payload is far from the limits of float32, whatever it is.
    received = _scale(sent, 1 / amplitude if amplitude > _SILENCE else 0.0)
    received *= gains
    received += complex_noise(rng, len(sent), noise)
    symbols, noise_variance = equalise(received, fade, noise)
    return Equalised(_scale(symbols, amplitude), _scale(noise_variance, power))


def observe(gains: Gains, noise: float, csi: str, rng: np.random.Generator) -> Estimate:
    """What the receiver knows of the fade: all ("perfect"), or what pilots tell ("estimated").

    Raises SemcomError for another name.
    """
    if choose(csi, CSI, "channel knowledge") == "perfect":
        error = np.zeros(len(gains.gains), np.float32)
        return Estimate(gains.gains, error, mean_power(gains.gains))
    return estimate(gains.gains, gains.pilot_spacing, noise, rng)


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
    between = missed + noise * (of_noise + of_pull + of_mean)
    error = np.tile(between.astype(np.float32), count - 1)[:n]
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
    return Equalised(np.conj(fade.gains) * received * gain, disturbance(fade, noise) * gain)


def minimise_error(received: np.ndarray, fade: Estimate, noise: float) -> Equalised:
    """y h* / (|h|^2 + d), d being noise and channel error: the least mean squared error.

    It biases x towards 0; its error d / (|h|^2 + d) counts that in and never passes E|x|^2.
    """
    disturbed = disturbance(fade, noise)
    gain = 1 / (_power(fade.gains) + disturbed)
    return Equalised(np.conj(fade.gains) * received * gain, disturbed * gain)


EQUALISERS: dict[str, Callable[[np.ndarray, Estimate, float], Equalised]] = {
    "mmse": minimise_error,
    "zf": force_zero,
    "none": leave,
}
"""Each takes the received symbols, complex64 [n], the estimated fade and the noise variance."""


def disturbance(fade: Estimate, noise: float) -> np.ndarray:
    """All that is noise to the receiver, float32 [n]: what it does not know of h times x is."""
    return np.float32(noise) + fade.error


def mean_power(values: np.ndarray) -> float:
    """Mean |value|^2 of complex64 [n], n > 0; summed in float64, where no square overflows."""
    parts = values.view(np.float32)
    return float(np.einsum("i,i", parts, parts, dtype=np.float64)) / len(values)


def complex_noise(rng: np.random.Generator, n: int, variance: float) -> np.ndarray:
    """Circular complex Gaussian noise, complex64 [n], with E|noise|^2 = `variance`."""
    noise = rng.standard_normal(2 * n, dtype=np.float32)
    noise *= np.float32((variance / 2) ** 0.5)
    return noise.view(np.complex64)


def _power(gains: np.ndarray) -> np.ndarray:
    return gains.real**2 + gains.imag**2


def _scale(values: np.ndarray, factor: float) -> np.ndarray:
    """float32 or complex64 `values` times `factor`, kept within the range of float32."""
    parts = values.view(np.float32)
    with np.errstate(over="ignore"):
        scaled = parts * np.float32(factor)
    return np.clip(scaled, -_LARGEST, _LARGEST, out=scaled).view(values.dtype)
