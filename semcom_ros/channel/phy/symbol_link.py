# SPDX-License-Identifier: Apache-2.0
"""Symbols through the air: faded, noisy, and as the receiver hands them on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from semcom_ros.channel.fading.propagation import Gains
from semcom_ros.channel.phy import equaliser as equalisers
from semcom_ros.channel.phy.equaliser import Estimate
from semcom_ros.channel.phy.noise import complex_noise
from semcom_ros.errors import choose

CSI = ("perfect", "estimated")
"""What the receiver may know of the fade."""

_LARGEST, _SILENCE = np.finfo(np.float32).max, np.finfo(np.float32).tiny


class Received(NamedTuple):
    """What the receiver has of n symbols.

    symbols: complex64 [n]. noise_variance: E|symbol - sent symbol|^2 of each, float32 [n]; with
    equaliser "none" it is E|symbol - h x|^2. snr_db: mean SNR as the receiver measures it.
    """

    symbols: np.ndarray
    noise_variance: np.ndarray
    snr_db: float


def transmit_symbols(
    sent: np.ndarray,
    gains: Gains,
    snr_db: float,
    *,
    csi: str,
    equaliser: str,
    rng: np.random.Generator,
) -> Received:
    """Send symbols, complex64 [n], over `gains` of n symbols: y = h x + n, then equalised.

    SNR = E|x|^2 / E|n|^2 at E|h|^2 = 1, E|x|^2 being the mean over these n symbols, which the
    receiver knows; inter-carrier interference comes on top of the noise. csi: a name of `CSI`.
    equaliser: a name of `equaliser.EQUALISERS`. Everything returned is finite. Raises SemcomError
    for an unknown name.
    """
    noise = noise_power(snr_db, gains)
    if not len(sent):
        return Received(sent, np.zeros(0, np.float32), -10 * math.log10(noise))
    fade = observe(gains, noise, csi, rng)
    symbols, noise_variance = carry(sent, gains.gains, fade, noise, equaliser, rng)
    return Received(symbols, noise_variance, measured_snr_db(fade, noise))


def noise_power(snr_db: float, gains: Gains) -> float:
    """Noise and interference of a symbol of unit mean power."""
    return 10 ** (-snr_db / 10) + gains.interference


def observe(gains: Gains, noise: float, csi: str, rng: np.random.Generator) -> Estimate:
    """What the receiver knows of the fade: all ("perfect"), or what pilots tell ("estimated")."""
    if choose(csi, CSI, "channel knowledge") == "perfect":
        return equalisers.know(gains.gains)
    return equalisers.estimate(gains.gains, gains.pilot_spacing, noise, rng)


def measured_snr_db(fade: Estimate, noise: float) -> float:
    """The mean SNR that the receiver reports, dB."""
    return 10 * math.log10(max(fade.power, float(equalisers.FLOOR)) / noise)


def carry(
    sent: np.ndarray,
    gains: np.ndarray,
    fade: Estimate,
    noise: float,
    equaliser: str,
    rng: np.random.Generator,
) -> equalisers.Equalised:
    """Symbols complex64 [n], n > 0, through `gains` complex64 [n], freed of what `fade` knows."""
    equalise = equalisers.EQUALISERS[choose(equaliser, equalisers.EQUALISERS, "equaliser")]
    power = equalisers.mean_power(sent)
    amplitude = math.sqrt(power)
    # In units of its own power a payload is far from the limits of float32, whatever it is.
    received = _scale(sent, 1 / amplitude if amplitude > _SILENCE else 0.0)
    received *= gains
    received += complex_noise(rng, len(sent), noise)
    symbols, noise_variance = equalise(received, fade, noise)
    return equalisers.Equalised(_scale(symbols, amplitude), _scale(noise_variance, power))


def _scale(values: np.ndarray, factor: float) -> np.ndarray:
    """float32 or complex64 `values` times `factor`, kept within the range of float32."""
    parts = values.view(np.float32)
    with np.errstate(over="ignore"):
        scaled = parts * np.float32(factor)
    return np.clip(scaled, -_LARGEST, _LARGEST, out=scaled).view(values.dtype)
