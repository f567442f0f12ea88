# SPDX-License-Identifier: Apache-2.0
"""Flat channels: no fading, and Rayleigh and Rician fading, one a frame or correlated in time."""

from __future__ import annotations

import math

import numpy as np

from semcom_ros.channel.jakes import SINUSOIDS, Jakes, doppler_hz
from semcom_ros.channel.propagation import Gains
from semcom_ros.errors import SemcomError

_BLOCK = 64
# Straight lines between 20 pilots a Doppler period miss 1/20000 of the fade's power.
_PILOTS_A_PERIOD = 20


class Awgn:
    """No fading: every gain is 1. `seed` is there because all models have one."""

    def __init__(self, *, seed: int) -> None:
        pass

    def gains(self, n: int, time_s: float) -> Gains:
        """Ones for n symbols."""
        return Gains(np.ones(n, np.complex64), 0.0, _BLOCK)


class Rayleigh:
    """Scattered paths only: the gain is complex Gaussian of unit mean power.

    fading "jakes": it follows the Doppler of `speed_kmh` at `carrier_ghz` and goes on from frame
    to frame, symbols being 1 / `symbol_rate_mhz` microseconds apart. "block": every frame (every
    `time_s`) meets one gain, independent of all others. Raises SemcomError where symbols are too
    slow for the Doppler.
    """

    _paths: tuple[tuple[float, int], ...] = ((1.0, SINUSOIDS),)
    """Amplitude and number of sinusoids of each independent sum of paths."""

    def __init__(
        self,
        *,
        speed_kmh: float,
        carrier_ghz: float,
        symbol_rate_mhz: float,
        fading: str,
        seed: int,
    ) -> None:
        self._symbol_s = 1e-6 / symbol_rate_mhz
        self._seed = seed
        self._doppler = doppler_hz(speed_kmh, carrier_ghz) if fading == "jakes" else 0.0
        symbols_a_period = 1 / (self._doppler * self._symbol_s) if self._doppler else math.inf
        if symbols_a_period < _PILOTS_A_PERIOD:
            raise SemcomError(
                f"At {speed_kmh:g} km/h and {carrier_ghz:g} GHz the Doppler of "
                f"{self._doppler:.0f} Hz changes the channel within a symbol of "
                f"{symbol_rate_mhz:g} Msymbol/s: lower speed_kmh or carrier_ghz, or raise "
                "symbol_rate_mhz."
            )
        self._block = int(min(_BLOCK, symbols_a_period / _PILOTS_A_PERIOD))
        self._sums = self._draw(np.random.default_rng(seed)) if fading == "jakes" else None

    def gains(self, n: int, time_s: float) -> Gains:
        """What n symbols meet that are sent from `time_s` on."""
        # Seeded by its time a frame meets the same gain whether or not others were sent before.
        sums = self._sums or self._draw(np.random.default_rng((self._seed, round(time_s * 1e6))))
        gains = sum(
            np.float32(amplitude) * waves.run(time_s, self._symbol_s, n)[0]
            for (amplitude, _), waves in zip(self._paths, sums, strict=True)
        )
        return Gains(gains, 0.0, self._block)

    def _draw(self, rng: np.random.Generator) -> list[Jakes]:
        return [Jakes(self._doppler, 1, rng, sinusoids) for _, sinusoids in self._paths]


class Rician(Rayleigh):
    """A steady path and scattered ones, `k_db` being the power of the first over all the others'.

    h(t) = sqrt(K / (K + 1)) exp(j (2 pi f t cos a + p)) + s(t) / sqrt(K + 1), s being Rayleigh
    fading and a, p the random angle and phase of the steady path (Xiao, Zheng, Beaulieu, IEEE
    Trans. Wireless Commun. 5(12), 2006). The other settings are those of `Rayleigh`.
    """

    def __init__(
        self,
        *,
        k_db: float,
        speed_kmh: float,
        carrier_ghz: float,
        symbol_rate_mhz: float,
        fading: str,
        seed: int,
    ) -> None:
        k = 10 ** (k_db / 10)
        self._paths = (((k / (k + 1)) ** 0.5, 1), ((1 / (k + 1)) ** 0.5, SINUSOIDS))
        super().__init__(
            speed_kmh=speed_kmh,
            carrier_ghz=carrier_ghz,
            symbol_rate_mhz=symbol_rate_mhz,
            fading=fading,
            seed=seed,
        )
