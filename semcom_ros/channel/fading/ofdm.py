# SPDX-License-Identifier: Apache-2.0
"""OFDM: multipath and Doppler turned into one gain a subcarrier, and into interference.

Behind a cyclic prefix that outlasts the channel's echoes, its linear convolution becomes a product
on each subcarrier, y[k] = H[k] x[k]. What breaks that, Doppler within an OFDM symbol and echoes
beyond the prefix, is counted as noise, in units of the power that stays on the subcarrier.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.integrate import quad
from scipy.special import j0

from semcom_ros.channel.fading.deepmimo import load
from semcom_ros.channel.fading.jakes import wavelength_m
from semcom_ros.channel.fading.propagation import Gains, Moment
from semcom_ros.errors import SemcomError

SUBCARRIERS = 256
CYCLIC_PREFIX = 18
"""Samples: 144 of 2048, the normal prefix of 5G NR (3GPP TS 38.211, 5.3.1)."""
PILOT_SPACING = 8
"""Subcarriers to a pilot."""
MAX_DOPPLER = 0.5
"""Greatest Doppler shift, in subcarrier spacings; one-tap equalisers fail long before it."""


@dataclass(frozen=True)
class Grid:
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


class TracePropagation:
    """OFDM over the paths of a ray tracer: a drive along the positions of a DeepMIMO scenario.

    The response at a position is DeepMIMO's own, H[k] = sum sqrt(P_p / N) exp(j phase_p)
    exp(-j 2 pi k tau_p B / N), times sqrt(N / P): P is the sum of a position's path powers, mean
    over all positions, so that E|H|^2 = 1, `snr_db` is the trace's mean SNR and the gain of each
    position stays as a variation around it. Delays count from the first arrival. Positions that
    no path reaches are left out.

    With fading "jakes" the vehicle starts at a position drawn by `seed`, drives along the
    positions in their order and over again, and meets in each frame the response of the last
    position it came by. The Doppler, at the trace's own carrier, counts as interference by the
    Jakes spectrum. With "block" every frame is at a random position and holds still. Raises
    SemcomError for a folder that is no scenario.
    """

    def __init__(self, *, trace: str, symbol_rate_mhz: float, fading: str, seed: int) -> None:
        scenario = load(trace)
        self._grid = Grid(symbol_rate_mhz * 1e6)
        self._seed = seed
        self._is_block = fading == "block"

        reached = np.isfinite(scenario.power).any(axis=1)
        delays_s = scenario.delay_s[reached]
        delays_s = delays_s - np.nanmin(delays_s, axis=1, keepdims=True)
        share = self._grid.prefix_share(delays_s)
        power = scenario.power[reached]
        useful = np.nansum(power * share**2, axis=1).mean()
        paths = np.sqrt(power / useful) * share * np.exp(1j * scenario.phase_rad[reached])
        self._paths, self._delays_s = np.nan_to_num(paths), np.nan_to_num(delays_s)

        self._useful = useful / np.nansum(power, axis=1).mean()
        self._wavelength_m = wavelength_m(scenario.carrier_hz / 1e9)
        self._way_m = _way_m(scenario.positions[reached])
        self._start_m = self._way_m[np.random.default_rng(seed).integers(len(self._paths))]

    def gains(self, n: int, moment: Moment) -> Gains:
        """What n symbols meet at `moment`: the response of one position, held for the frame."""
        at = self._position(moment)
        response = self._paths[at] @ self._grid.steering(self._delays_s[at])
        times = self._grid.times_s(n)
        gains = lay(np.tile(response.astype(np.complex64), (len(times), 1)), n)
        stays = self._useful * self._doppler_share(moment.speed_mps)
        return Gains(gains, interference(stays), PILOT_SPACING)

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where the Doppler passes half of a subcarrier spacing."""
        self._doppler_share(speed_mps)

    def _doppler_share(self, speed_mps: float) -> float:
        return self._grid.doppler_share(0.0 if self._is_block else speed_mps / self._wavelength_m)

    def _position(self, moment: Moment) -> int:
        if self._is_block:
            rng = np.random.default_rng((self._seed, moment.frame))
            return int(rng.integers(len(self._paths)))
        driven_m = (self._start_m + moment.way_m) % self._way_m[-1]
        return int(np.searchsorted(self._way_m, driven_m, side="right")) - 1


def _way_m(positions: np.ndarray) -> np.ndarray:
    """Metres driven up to each of the positions [u, 3], and at last [u + 1] to the first again.

    That last step is as long as the mean of the others: the drive begins anew.
    """
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1)
    last = steps.mean() if steps.any() else 1.0
    return np.concatenate([[0.0], np.cumsum([*steps, last])])
