# SPDX-License-Identifier: Apache-2.0
"""Flat channels: none, Rayleigh and Rician fading, one a frame or correlated along the way."""

from __future__ import annotations

import math

import numpy as np

from semcom_ros.channel.fading.jakes import SINUSOIDS, Jakes, wavelength_m
from semcom_ros.channel.fading.propagation import Gains, Moment
from semcom_ros.errors import SemcomError

_PILOT_SPACING = 64
# Straight lines between 20 pilots a wavelength miss 1/20000 of the fade's power.
_PILOTS_A_WAVELENGTH = 20


class Awgn:
    """No fading: every gain is 1. `seed` is there because all models have one."""

    def __init__(self, *, seed: int) -> None:
        pass

    def gains(self, n: int, moment: Moment) -> Gains:
        """Ones for n symbols."""
        return Gains(np.ones(n, np.complex64), 0.0, _PILOT_SPACING)

    def check(self, speed_mps: float) -> None:
        """Any speed will do."""


class Rayleigh:
    """Scattered paths only: the gain is complex Gaussian of unit mean power.

    fading "jakes": it follows the way driven at the wavelength of `carrier_ghz` and goes on from
    frame to frame, symbols being 1 / `symbol_rate_mhz` microseconds apart. "block": every frame
    meets one gain, independent of all others.
    """

    _paths: tuple[tuple[float, int], ...] = ((1.0, SINUSOIDS),)
    """Amplitude and number of sinusoids of each independent sum of paths."""

    def __init__(
        self, *, carrier_ghz: float, symbol_rate_mhz: float, fading: str, seed: int
    ) -> None:
        self._symbol_s = 1e-6 / symbol_rate_mhz
        self._wavelength_m = wavelength_m(carrier_ghz)
        self._is_block = fading == "block"
        self._seed = seed
        self._sums = self._draw(np.random.default_rng(seed))

    def gains(self, n: int, moment: Moment) -> Gains:
        """What n symbols meet that are sent from `moment` on."""
        sums, step_m = self._sums, moment.speed_mps * self._symbol_s
        if self._is_block:
            sums = self._draw(np.random.default_rng((self._seed, moment.frame)))
            step_m = 0.0
        gains = sum(
            np.float32(amplitude) * waves.run(moment.way_m, step_m, n)[0]
            for (amplitude, _), waves in zip(self._paths, sums, strict=True)
        )
        pilot_spacing = int(
            min(_PILOT_SPACING, self._symbols_a_wavelength(step_m) / _PILOTS_A_WAVELENGTH)
        )
        return Gains(gains, 0.0, pilot_spacing)

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where symbols are too slow for the Doppler of that speed."""
        step_m = 0.0 if self._is_block else speed_mps * self._symbol_s
        if self._symbols_a_wavelength(step_m) < _PILOTS_A_WAVELENGTH:
            raise SemcomError(
                f"At {3.6 * speed_mps:g} km/h the Doppler of {speed_mps / self._wavelength_m:.0f} "
                f"Hz changes the channel within a symbol of {1e6 * self._symbol_s:g} us: lower "
                "speed_kmh or carrier_ghz, or raise symbol_rate_mhz."
            )

    def _symbols_a_wavelength(self, step_m: float) -> float:
        return self._wavelength_m / step_m if step_m else math.inf

    def _draw(self, rng: np.random.Generator) -> list[Jakes]:
        return [Jakes(1 / self._wavelength_m, 1, rng, sinusoids) for _, sinusoids in self._paths]


class Rician(Rayleigh):
    """A steady path and scattered ones, `k_db` being the power of the first over all the others'.

    h(t) = sqrt(K / (K + 1)) exp(j (2 pi f t cos a + p)) + s(t) / sqrt(K + 1), s being Rayleigh
    fading and a, p the random angle and phase of the steady path (Xiao, Zheng, Beaulieu, IEEE
    Trans. Wireless Commun. 5(12), 2006). The other settings are those of `Rayleigh`.
    """

    def __init__(
        self, *, k_db: float, carrier_ghz: float, symbol_rate_mhz: float, fading: str, seed: int
    ) -> None:
        k = 10 ** (k_db / 10)
        self._paths = (((k / (k + 1)) ** 0.5, 1), ((1 / (k + 1)) ** 0.5, SINUSOIDS))
        super().__init__(
            carrier_ghz=carrier_ghz, symbol_rate_mhz=symbol_rate_mhz, fading=fading, seed=seed
        )
