# SPDX-License-Identifier: Apache-2.0
"""Symbols through the air: faded, noisy, and as the receiver hands them on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from semcom_ros.channel import equaliser as equalisers
from semcom_ros.channel.noise import complex_noise
from semcom_ros.channel.propagation import Gains
from semcom_ros.errors import choose

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
    receiver knows; inter-carrier interference comes on top of the noise. csi: "perfect", or
    "estimated" from noisy pilots (`equaliser.estimate`). equaliser: a name of
    `equaliser.EQUALISERS`. Everything returned is finite. Raises SemcomError for an unknown name.
    """
    choose(csi, ("perfect", "estimated"), "channel knowledge")
    equalise = equalisers.EQUALISERS[choose(equaliser, equalisers.EQUALISERS, "equaliser")]
    noise = 10 ** (-snr_db / 10) + gains.interference
    if not len(sent):
        return Received(sent, np.zeros(0, np.float32), -10 * math.log10(noise))

    power = equalisers.mean_power(sent)
    amplitude = math.sqrt(power)
    # In units of its own power a payload is far from the limits of float32, whatever it is.
    received = _scale(sent, 1 / amplitude if amplitude > _SILENCE else 0.0)
    received *= gains.gains
    received += complex_noise(rng, len(sent), noise)
    if csi == "perfect":
        fade = equalisers.know(gains.gains)
    else:
        fade = equalisers.estimate(gains.gains, gains.block, noise, rng)
    symbols, noise_variance = equalise(received, fade, noise)
    measured = 10 * math.log10(max(fade.power, float(equalisers.FLOOR)) / noise)
    return Received(_scale(symbols, amplitude), _scale(noise_variance, power), measured)


def _scale(values: np.ndarray, factor: float) -> np.ndarray:
    """float32 or complex64 `values` times `factor`, kept within the range of float32."""
    parts = values.view(np.float32)
    with np.errstate(over="ignore"):
        scaled = parts * np.float32(factor)
    return np.clip(scaled, -_LARGEST, _LARGEST, out=scaled).view(values.dtype)
