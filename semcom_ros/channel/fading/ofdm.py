# SPDX-License-Identifier: Apache-2.0
"""OFDM: multipath and Doppler turned into one gain a subcarrier, and into interference.

Behind a cyclic prefix that outlasts the channel's echoes, its linear convolution becomes a product
on each subcarrier, y[k] = H[k] x[k]. What breaks that, Doppler within an OFDM symbol and echoes
beyond the prefix, is counted as noise, in units of the power that stays on the subcarrier.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

import numpy as np
from scipy.integrate import quad
from scipy.special import j0

from semcom_ros.channel.fading.jakes import wavelength_m
from semcom_ros.channel.fading.propagation import Gains
from semcom_ros.errors import SemcomError

SUBCARRIERS = 256
CYCLIC_PREFIX = 18
"""Samples: 144 of 2048, the normal prefix of 5G NR (3GPP TS 38.211, 5.3.1)."""
PILOT_SPACING = 8
"""Subcarriers to a pilot."""
MAX_DOPPLER = 0.5
"""Greatest Doppler shift, in subcarrier spacings; one-tap equalisers fail long before it."""


@dataclass(frozen=True)
class OfdmGrid:
    """OFDM's symbols in time and its subcarriers, bandwidth / 256 apart, in frequency."""

    bandwidth_hz: float

    @property
    def spacing_hz(self) -> float:
        """From one subcarrier to the next."""
        return self.bandwidth_hz / SUBCARRIERS

    @property
    def duration_s(self) -> float:
        """Of an OFDM symbol with its prefix."""
        return (CYCLIC_PREFIX + SUBCARRIERS) / self.bandwidth_hz

    def times_s(self, n: int) -> np.ndarray:
        """The middles, prefixes left out, of the OFDM symbols that carry n payload symbols."""
        middle_s = (CYCLIC_PREFIX + SUBCARRIERS / 2) / self.bandwidth_hz
        return middle_s + self.duration_s * np.arange(max(1, -(-n // SUBCARRIERS)))

    def steering(self, delays_s: np.ndarray) -> np.ndarray:
        """What a path of each delay [p] does to the subcarriers: complex64 [p, 256].

        exp(-j 2 pi k tau B / N) on subcarrier k of N = 256 over the bandwidth B.
        """
        turns = np.outer(delays_s * self.spacing_hz, np.arange(SUBCARRIERS))
        return np.exp(-2j * np.pi * turns).astype(np.complex64)

    def prefix_share(self, delays_s: np.ndarray) -> np.ndarray:
        """Share of each path's amplitude [p] that stays on its subcarrier; 1 within the prefix.

        delays_s: after the first arrival, with which the receiver is in step. A path later than
        the prefix by a share e of the rest of the OFDM symbol keeps the amplitude 1 - e and
        loses the power 2 e - e^2 to other subcarriers and the next symbol (Speth, Fechtel, Fock,
        Meyr, "Optimum receiver design for wireless broad-band systems using OFDM, part I", IEEE
        Trans. Commun. 47(11), 1999).
        """
        late = (delays_s * self.bandwidth_hz - CYCLIC_PREFIX) / SUBCARRIERS
        return 1 - np.clip(late, 0, 1)

    @cache  # noqa: B019 - a grid is a value, and there are few of them
    def doppler_share(self, doppler_hz: float) -> float:
        """Share of the power of a path with the Jakes spectrum that stays on its subcarrier.

        With T = 1 / spacing: integral of (1 - |x|) J0(2 pi f T x) over |x| < 1 (Robertson and
        Kaiser, "The effects of Doppler spreads in OFDM(A) mobile radio systems", VTC Fall 1999).
        The loss is at most (pi f T)^2 / 6, the bound of Li and Cimini ("Bounds on the
        interchannel interference of OFDM in time-varying impairments", IEEE Trans. Commun. 49(3),
        2001). Raises SemcomError where the Doppler passes `MAX_DOPPLER`.
        """
        turns = doppler_hz / self.spacing_hz
        if turns > MAX_DOPPLER:
            raise SemcomError(
                f"A Doppler shift of {doppler_hz:.0f} Hz is too much for OFDM, whose "
                f"{SUBCARRIERS} subcarriers are {self.spacing_hz:.0f} Hz apart: it must stay under "
                "half of that. Lower speed_kmh or carrier_ghz, or raise symbol_rate_mhz."
            )
        return 2 * quad(lambda x: (1 - x) * j0(2 * np.pi * turns * x), 0, 1)[0]

    def shift_share(self, shift_hz: float) -> float:
        """Share of the power of a path, all of it shifted, that stays on its subcarrier: sinc^2."""
        return float(np.sinc(shift_hz / self.spacing_hz) ** 2)


def interference(useful: float) -> float:
    """Power lost to other subcarriers, in units of the share `useful` that stays where it was."""
    return float(1 / useful - 1)


def lay(responses: np.ndarray, n: int) -> np.ndarray:
    """The gains [n] that n payload symbols meet on the grid `responses` [OFDM symbols, 256].

    They fill one OFDM symbol after the other, the first from subcarrier 0 up, the second back
    down, and so on: neighbours in the payload are neighbours on the air.
    """
    grid = responses.copy()
    grid[1::2] = grid[1::2, ::-1]
    return grid.reshape(-1)[:n]


class OfdmPropagation:
    """What all models over OFDM share; with fading "block" a frame stands still."""

    def __init__(self, settings: SimpleNamespace, seed: int, carrier_ghz: float) -> None:
        self._grid = OfdmGrid(settings.symbol_rate_mhz * 1e6)
        self._wavelength_m = wavelength_m(carrier_ghz)
        self._is_block = settings.fading == "block"
        self._seed = seed

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where the Doppler passes half of a subcarrier spacing."""
        self._doppler_share(speed_mps)

    def _speed_mps(self, speed_mps: float) -> float:
        """That within a frame."""
        return 0.0 if self._is_block else speed_mps

    def _doppler_share(self, speed_mps: float) -> float:
        return self._grid.doppler_share(self._speed_mps(speed_mps) / self._wavelength_m)

    def _laid(self, responses: np.ndarray, n: int, useful: float) -> Gains:
        """Of n payload symbols on `responses`, of whose power the share `useful` stays."""
        return Gains(lay(responses, n), interference(useful), PILOT_SPACING)
