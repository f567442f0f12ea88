# SPDX-License-Identifier: Apache-2.0
"""Shadowing: the slow change of the mean SNR as the vehicle passes what stands in the way."""

from __future__ import annotations

import math

import numpy as np


class Shadowing:
    """Log-normal shadowing whose autocorrelation falls exponentially with the way driven.

    R(d) = std_db^2 exp(-|d| / decorrelation_m), a first-order autoregressive process in dB
    (Gudmundson, "Correlation model for shadow fading in mobile radio systems", Electronics
    Letters 27(23), 1991). std_db: standard deviation, dB. decorrelation_m: m, more than 0.
    """

    def __init__(self, std_db: float, decorrelation_m: float, seed: int) -> None:
        self._random = np.random.default_rng([seed, 3])
        self._std_db, self._decorrelation_m = std_db, decorrelation_m
        self._distance_m = 0.0
        self._standard = self._random.standard_normal()

    def configure(self, std_db: float, decorrelation_m: float) -> None:
        """Go on from where the process stands with another spread or correlation."""
        self._std_db, self._decorrelation_m = std_db, decorrelation_m

    def at(self, distance_m: float) -> float:
        """The shadowing in dB, mean 0, after `distance_m` of driving; to be added to the SNR."""
        moved = abs(distance_m - self._distance_m)
        kept = math.exp(-moved / self._decorrelation_m)
        fresh = math.sqrt(1 - kept**2) * self._random.standard_normal()
        self._standard = kept * self._standard + fresh
        self._distance_m = distance_m
        return float(self._std_db * self._standard)
