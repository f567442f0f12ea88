# SPDX-License-Identifier: Apache-2.0
"""Fading in time: complex Gaussian processes with the Doppler spectrum of Clarke and Jakes."""

from __future__ import annotations

import math

import numpy as np

SPEED_OF_LIGHT = 299_792_458.0
"""Metres per second."""
SINUSOIDS = 32
"""As many as make a process Gaussian: E|h|^4 is 2 - 1/32, deep fades are 1.6 % too rare."""


def wavelength_m(carrier_ghz: float) -> float:
    """Metres of way in which a path from straight ahead turns its phase once."""
    return SPEED_OF_LIGHT / (carrier_ghz * 1e9)


class Jakes:
    """Independent Rayleigh fading processes of unit mean power, E h(t) h*(t - s) = J0(2 pi f s).

    t and f (`frequency`) are a time and the Doppler shift or, which is the same at any speed, a
    way and one over the wavelength. A sum of N sinusoids, each with its own random angle of arrival
    a_n and phase p_n: h(t) = sum exp(j (2 pi f t cos a_n + p_n)) / sqrt(N), a_n uniform over the
    n-th of N sectors of the circle (Xiao, Zheng, Beaulieu, "Novel sum-of-sinusoids simulation
    models for Rayleigh and Rician fading channels", IEEE Trans. Wireless Commun. 5(12), 2006,
    equation 7). The
    autocorrelation over the ensemble is exact for any N; the law is Gaussian up to
    E|h|^4 = 2 - 1/N. Every process has unit mean power in time too, unless `frequency` is 0:
    then it is a constant that is Rayleigh over the ensemble.
    """

    def __init__(
        self,
        frequency: float,
        processes: int,
        rng: np.random.Generator,
        sinusoids: int = SINUSOIDS,
    ) -> None:
        shape = (processes, sinusoids)
        angle = (np.arange(sinusoids) + rng.random(shape)) * (2 * np.pi / sinusoids)
        self._rate = 2 * np.pi * frequency * np.cos(angle)
        self._phase = 2 * np.pi * rng.random(shape)
        self._scale = np.float32(sinusoids**-0.5)

    def run(self, start: float, step: float, n: int) -> np.ndarray:
        """The processes at `start` + `step` * (0 .. n - 1): complex64 [processes, n].

        exp(j w (a + b)) = exp(j w a) exp(j w b): with the times in rows of equal length, a wave at
        all of them is a column of row starts times a row of offsets, and the sum over the waves
        is one matrix product. Nothing is approximated; float32 rounds by some 1e-6.
        """
        length = max(1, math.ceil(math.sqrt(n)))
        starts = start + step * length * np.arange(-(-n // length))
        offsets = step * np.arange(length)
        rate, phase = self._rate[..., None], self._phase[..., None]
        columns = _wave(rate * starts + phase) * self._scale
        rows = _wave(rate * offsets)
        gains = columns.transpose(0, 2, 1) @ rows
        return gains.reshape(len(gains), -1)[:, :n]


def _wave(angle: np.ndarray) -> np.ndarray:
    # Angles stay float64 up to here: float32 would be wrong by radians after some minutes.
    return np.exp(1j * angle).astype(np.complex64)
