# SPDX-License-Identifier: Apache-2.0
"""The clustered delay lines of 3GPP, CDL-A to CDL-E, as Sionna draws them, seen through OFDM."""

from __future__ import annotations

import numpy as np

from semcom_ros.channel.fading import ofdm
from semcom_ros.channel.fading.jakes import wavelength_m
from semcom_ros.channel.fading.propagation import Gains, Moment
from semcom_ros.channel.fading.sionna import load_sionna
from semcom_ros.channel.fading.tapped_delay_line import PROFILES


class ClusteredDelayLine:
    """CDL-`profile` of 3GPP TR 38.901 v16.1, 7.7.1, between two isotropic vertical antennas.

    The vehicle drives level, in a direction drawn by `seed`. Sionna draws a new fade at every call
    and cannot go on with one: a frame's fade is that of (seed, number of the frame) and independent
    of the frame before; within a frame it goes on with its Doppler, unless fading is "block". A
    gain is that in the middle of its OFDM symbol, E|H|^2 = 1; `interference` counts echoes beyond
    the cyclic prefix and the Doppler, by the Jakes spectrum, which has the mean square shift of
    all directions. Raises SemcomError where Sionna is not installed.
    """

    def __init__(
        self,
        *,
        profile: str,
        delay_spread_ns: float,
        carrier_ghz: float,
        symbol_rate_mhz: float,
        fading: str,
        seed: int,
    ) -> None:
        self._grid = ofdm.Grid(symbol_rate_mhz * 1e6)
        self._profile, self._delay_spread_s = profile, delay_spread_ns * 1e-9
        self._carrier_ghz = carrier_ghz
        self._is_block = fading == "block"
        self._seed = seed
        # The clusters' delays and powers are those of the taps of the TDL of the same letter.
        delays, powers_db = np.array(PROFILES[profile]).T
        powers = 10 ** (powers_db / 10)
        share = self._grid.prefix_share(delays * self._delay_spread_s)
        self._useful = powers @ share**2 / powers.sum()

        self._phy = load_sionna()
        self._speed_mps = 0.0
        self._cdl = self._build()

    def gains(self, n: int, moment: Moment) -> Gains:
        """What n symbols meet in the frame of `moment`."""
        speed_mps = 0.0 if self._is_block else moment.speed_mps
        if speed_mps != self._speed_mps:
            self._speed_mps = speed_mps
            self._cdl = self._build()
        # Sionna's own generator, not torch's global one that others may have seeded.
        state = np.random.SeedSequence((self._seed, moment.frame)).generate_state(1, np.uint64)
        self._phy.config.torch_rng("cpu").manual_seed(int(state[0]))
        paths, delays_s = self._cdl(1, len(self._grid.times_s(n)), 1 / self._grid.duration_s)
        paths = paths[0, 0, 0, 0, 0].numpy().T * np.float32(self._useful**-0.5)
        delays_s = delays_s[0, 0, 0].numpy().astype(float)
        steering = self._grid.prefix_share(delays_s)[:, None] * self._grid.steering(delays_s)
        gains = ofdm.lay(paths @ steering.astype(np.complex64), n)
        interference = ofdm.interference(self._useful * self._doppler_share(speed_mps))
        return Gains(gains, interference, ofdm.PILOT_SPACING)

    def check(self, speed_mps: float) -> None:
        """Raise SemcomError where the Doppler passes half of a subcarrier spacing."""
        self._doppler_share(0.0 if self._is_block else speed_mps)

    def _doppler_share(self, speed_mps: float) -> float:
        return self._grid.doppler_share(speed_mps / wavelength_m(self._carrier_ghz))

    def _build(self):
        """Sionna's model at the present speed."""
        import torch
        from sionna.phy.channel.tr38901 import CDL, AntennaArray

        heading = 2 * np.pi * np.random.default_rng(self._seed).random()
        velocity = self._speed_mps * np.array([np.cos(heading), np.sin(heading), 0])
        carrier_hz = self._carrier_ghz * 1e9
        antenna = AntennaArray(
            num_rows=1, num_cols=1, polarization="single", polarization_type="V",
            antenna_pattern="omni", carrier_frequency=carrier_hz,
        )  # fmt: skip
        return CDL(
            self._profile.upper(), self._delay_spread_s, carrier_hz, antenna, antenna, "uplink",
            ut_velocity=torch.tensor(velocity, dtype=torch.float32), spec_version="16.1",
        )  # fmt: skip
