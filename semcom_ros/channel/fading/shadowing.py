# SPDX-License-Identifier: Apache-2.0
"""Shadowing: the slow change of the mean SNR as the vehicle passes what stands in the way."""

from __future__ import annotations

import math

import numpy as np

_POINTS = 10
"""Points of the process in a decorrelation distance."""
_KEPT = math.exp(-1 / _POINTS)
_STRETCH = 2**16
"""Points after which the process begins anew, so that one packet whose number is far from the last
does not hold up the radio while all the way between is walked."""


class Shadowing:
    """Log-normal shadowing whose autocorrelation falls exponentially with the way driven.

    R(d) = std_db^2 exp(-|d| / decorrelation_m) (Gudmundson, "Correlation model for shadow fading in
    mobile radio systems", Electronics Letters 27(23), 1991): a first-order autoregressive process
    at points a tenth of `decorrelation_m` apart, and between two of them their weighted sum of the
    same variance. It is a function of seed and way alone, however often it is asked. std_db:
    standard deviation, dB. decorrelation_m: m, more than 0.
    """

    def __init__(self, std_db: float, decorrelation_m: float, seed: int) -> None:
        self._seed = seed
        self._points: tuple[float, float]
        self._restart()
        self.configure(std_db, decorrelation_m)

    def configure(self, std_db: float, decorrelation_m: float) -> None:
        """Go on with another spread or correlation, with the same luck."""
        self._std_db, self._step_m = std_db, decorrelation_m / _POINTS

    def at(self, way_m: float) -> float:
        """The shadowing in dB, mean 0, after `way_m` of driving; to be added to the SNR."""
        before, place = divmod(way_m / self._step_m, 1)
        stretch, before = divmod(int(before), _STRETCH)
        if stretch != self._stretch or before < self._index:
            self._restart(stretch)
        while self._index < before:
            self._index += 1
            fresh = math.sqrt(1 - _KEPT**2) * self._random.standard_normal()
            self._points = self._points[1], _KEPT * self._points[1] + fresh
        mixed = (1 - place) * self._points[0] + place * self._points[1]
        variance = (1 - place) ** 2 + place**2 + 2 * place * (1 - place) * _KEPT
        return self._std_db * mixed / math.sqrt(variance)

    def _restart(self, stretch: int = 0) -> None:
        self._stretch = stretch
        self._random = np.random.default_rng((self._seed, 3, stretch))
        first, fresh = self._random.standard_normal(2)
        self._index = 0
        self._points = first, _KEPT * first + math.sqrt(1 - _KEPT**2) * fresh
