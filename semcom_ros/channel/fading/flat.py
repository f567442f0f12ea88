# SPDX-License-Identifier: Apache-2.0
"""Flat channels: none, Rayleigh and Rician fading, one a frame or correlated along the way."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np

from semcom_ros.channel.fading.jakes import SINUSOIDS, Jakes, wavelength_m
from semcom_ros.channel.fading.propagation import DriveState, Gains
from semcom_ros.errors import SemcomError

_PILOT_SPACING = 64
# Straight lines between 20 pilots a wavelength miss 1/20000 of the fade's power.
_PILOTS_A_WAVELENGTH = 20


class Awgn:
    """No fading: every gain is 1, at any speed."""

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        pass

    def gains(self, n: int, state: DriveState) -> Gains:
        return Gains(np.ones(n, np.complex64), 0.0, _PILOT_SPACING)

    def check(self, speed_mps: float) -> None:
        pass


class Rayleigh:
    """Scattered paths only: the gain is complex Gaussian of unit mean power.

    fading "jakes": it follows the way driven at the wavelength of `carrier_ghz` and goes on from
    frame to frame, symbols being 1 / `symbol_rate_mhz` microseconds apart. "block": every frame
    meets one gain, independent of all others.
    """

    _paths: tuple[tuple[float, int], ...] = ((1.0, SINUSOIDS),)
    """Amplitude and number of sinusoids of each independent sum of paths."""

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        self._symbol_s = 1e-6 / settings.symbol_rate_mhz
        self._wavelength_m = wavelength_m(settings.carrier_ghz)
        self._is_block = settings.fading == "block"
        self._seed = seed
        self._sums = self._draw(np.random.default_rng(seed))

    def gains(self, n: int, state: DriveState) -> Gains:
        sums, step_m = self._sums, self._step_m(state.speed_mps)
        if self._is_block:
            sums = self._draw(np.random.default_rng((self._seed, state.frame)))
        gains = sum(
            np.float32(amplitude) * waves.run(state.way_m, step_m, n)[0]
            for (amplitude, _), waves in zip(self._paths, sums, strict=True)
        )
        return Gains(gains, 0.0, int(min(_PILOT_SPACING, self._longest_pilot_spacing(step_m))))

    def check(self, speed_mps: float) -> None:
        if self._longest_pilot_spacing(self._step_m(speed_mps)) < 1:
            raise SemcomError(
                f"At {3.6 * speed_mps:g} km/h the Doppler of {speed_mps / self._wavelength_m:.0f} "
                f"Hz changes the channel within a symbol of {1e6 * self._symbol_s:g} us: lower "
                "speed_kmh or carrier_ghz, or raise symbol_rate_mhz."
            )

    def _step_m(self, speed_mps: float) -> float:
        """Metres from symbol to symbol."""
        return 0.0 if self._is_block else speed_mps * self._symbol_s

    def _longest_pilot_spacing(self, step_m: float) -> float:
        return self._wavelength_m / step_m / _PILOTS_A_WAVELENGTH if step_m else math.inf

    def _draw(self, rng: np.random.Generator) -> list[Jakes]:
        return [Jakes(1 / self._wavelength_m, 1, rng, sinusoids) for _, sinusoids in self._paths]


class Rician(Rayleigh):
    """A steady path and scattered ones, `k_db` being the power of the first over all the others'.

    h(t) = sqrt(K / (K + 1)) exp(j (2 pi f t cos a + p)) + s(t) / sqrt(K + 1), s being Rayleigh
    fading and a, p the random angle and phase of the steady path (Xiao, Zheng, Beaulieu, IEEE
    Trans. Wireless Commun. 5(12), 2006). The other settings are those of `Rayleigh`.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        k = 10 ** (settings.k_db / 10)
        self._paths = (((k / (k + 1)) ** 0.5, 1), ((1 / (k + 1)) ** 0.5, SINUSOIDS))
        super().__init__(settings, seed)
