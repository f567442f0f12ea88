# SPDX-License-Identifier: Apache-2.0
"""The tapped and the clustered delay lines of 3GPP, seen through OFDM."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from semcom_ros.channel.fading.jakes import Jakes
from semcom_ros.channel.fading.ofdm import OfdmPropagation
from semcom_ros.channel.fading.propagation import DriveState, Gains
from semcom_ros.channel.fading.sionna import load_sionna

# 3GPP TR 38.901 v16.1.0, tables 7.7.2-1 to 7.7.2-5: (delay over the RMS delay spread, power in dB)
# of each tap. The first line of D and of E is the direct path, LOS, all others fade.
PROFILES: dict[str, tuple[tuple[float, float], ...]] = {
    "a": (
        (0.0000, -13.4), (0.3819, 0.0), (0.4025, -2.2), (0.5868, -4.0), (0.4610, -6.0),
        (0.5375, -8.2), (0.6708, -9.9), (0.5750, -10.5), (0.7618, -7.5), (1.5375, -15.9),
        (1.8978, -6.6), (2.2242, -16.7), (2.1718, -12.4), (2.4942, -15.2), (2.5119, -10.8),
        (3.0582, -11.3), (4.0810, -12.7), (4.4579, -16.2), (4.5695, -18.3), (4.7966, -18.9),
        (5.0066, -16.6), (5.3043, -19.9), (9.6586, -29.7),
    ),
    "b": (
        (0.0000, 0.0), (0.1072, -2.2), (0.2155, -4.0), (0.2095, -3.2), (0.2870, -9.8),
        (0.2986, -1.2), (0.3752, -3.4), (0.5055, -5.2), (0.3681, -7.6), (0.3697, -3.0),
        (0.5700, -8.9), (0.5283, -9.0), (1.1021, -4.8), (1.2756, -5.7), (1.5474, -7.5),
        (1.7842, -1.9), (2.0169, -7.6), (2.8294, -12.2), (3.0219, -9.8), (3.6187, -11.4),
        (4.1067, -14.9), (4.2790, -9.2), (4.7834, -11.3),
    ),
    "c": (
        (0.0000, -4.4), (0.2099, -1.2), (0.2219, -3.5), (0.2329, -5.2), (0.2176, -2.5),
        (0.6366, 0.0), (0.6448, -2.2), (0.6560, -3.9), (0.6584, -7.4), (0.7935, -7.1),
        (0.8213, -10.7), (0.9336, -11.1), (1.2285, -5.1), (1.3083, -6.8), (2.1704, -8.7),
        (2.7105, -13.2), (4.2589, -13.9), (4.6003, -13.9), (5.4902, -15.8), (5.6077, -17.1),
        (6.3065, -16.0), (6.6374, -15.7), (7.0427, -21.6), (8.6523, -22.8),
    ),
    "d": (
        (0.0000, -0.2), (0.0000, -13.5), (0.0350, -18.8), (0.6120, -21.0), (1.3630, -22.8),
        (1.4050, -17.9), (1.8040, -20.1), (2.5960, -21.9), (1.7750, -22.9), (4.0420, -27.8),
        (7.9370, -23.6), (9.4240, -24.8), (9.7080, -30.0), (12.5250, -27.7),
    ),
    "e": (
        (0.0000, -0.03), (0.0000, -22.03), (0.5133, -15.8), (0.5440, -18.1), (0.5630, -19.8),
        (0.5440, -22.9), (0.7112, -22.4), (1.9092, -18.6), (1.9293, -20.8), (1.9589, -22.6),
        (2.6426, -22.3), (3.7136, -25.6), (5.4524, -20.2), (12.0034, -29.8), (20.6519, -29.2),
    ),
}  # fmt: skip
_WITH_LOS = ("d", "e")
_LOS_DOPPLER = 0.7


def _taps(profile: str) -> tuple[np.ndarray, np.ndarray]:
    """Delays over the RMS delay spread and powers of the taps, which CDL's clusters have too."""
    delays, powers_db = np.array(PROFILES[profile]).T
    return delays, 10 ** (powers_db / 10)


class TappedDelayLine(OfdmPropagation):
    """TDL-A to TDL-E of 3GPP TR 38.901 v16.1.0, 7.7.2: taps that fade each by itself.

    The taps fade with the Jakes spectrum; the first of D and E has a direct path on top, shifted
    by 0.7 f_d. A gain is that in the middle of its OFDM symbol, E|H|^2 = 1; `interference` counts
    what Doppler and the taps beyond the cyclic prefix cost (see `ofdm`). fading "block" draws new
    taps for every frame and holds them in it, without Doppler.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        super().__init__(settings, seed, settings.carrier_ghz)
        profile = settings.channel[-1]
        delays, powers = _taps(profile)
        delays_s = delays * settings.delay_spread_ns * 1e-9
        self._has_los = profile in _WITH_LOS
        self._powers = powers * self._grid.prefix_share(delays_s) ** 2 / powers.sum()
        amplitudes = np.sqrt(self._powers / self._powers.sum()).astype(np.float32)
        self._steering = amplitudes[:, None] * self._grid.steering(delays_s)
        self._taps = self._draw(np.random.default_rng(seed))

    def gains(self, n: int, state: DriveState) -> Gains:
        (fading, los_turn), speed_mps = self._taps, self._speed_mps(state.speed_mps)
        if self._is_block:
            fading, los_turn = self._draw(np.random.default_rng((self._seed, state.frame)))
        way_m = state.way_m + speed_mps * self._grid.times_s(n)
        gains = fading.run(way_m[0], speed_mps * self._grid.duration_s, len(way_m))
        stays = np.full(len(self._powers), self._doppler_share(speed_mps))
        if self._has_los:
            turns = _LOS_DOPPLER * way_m / self._wavelength_m + los_turn
            gains = np.vstack([np.exp(2j * np.pi * turns).astype(np.complex64), gains])
            stays[0] = self._grid.shift_share(_LOS_DOPPLER * (speed_mps / self._wavelength_m))
        return self._laid(gains.T @ self._steering, n, self._powers @ stays)

    def _draw(self, rng: np.random.Generator) -> tuple[Jakes, float]:
        """Scattered taps, and where in its turn the direct path is."""
        taps = len(self._steering) - self._has_los
        return Jakes(1 / self._wavelength_m, taps, rng), rng.random()


class ClusteredDelayLine(OfdmPropagation):
    """CDL-A to CDL-E of 3GPP TR 38.901 v16.1, 7.7.1, between two isotropic vertical antennas.

    The vehicle drives level, in a direction drawn by `seed`. Sionna draws a new fade at every call
    and cannot go on with one: a frame's fade is that of (seed, number of the frame) and independent
    of the frame before; within a frame it goes on with its Doppler, unless fading is "block". A
    gain is that in the middle of its OFDM symbol, E|H|^2 = 1; `interference` counts echoes beyond
    the cyclic prefix and the Doppler, by the Jakes spectrum, which has the mean square shift of
    all directions. Raises SemcomError where Sionna is not installed.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        super().__init__(settings, seed, settings.carrier_ghz)
        self._profile, self._delay_spread_s = settings.channel[-1], settings.delay_spread_ns * 1e-9
        delays, powers = _taps(self._profile)
        share = self._grid.prefix_share(delays * self._delay_spread_s)
        self._useful = powers @ share**2 / powers.sum()
        self._carrier_hz = settings.carrier_ghz * 1e9
        self._phy = load_sionna()
        self._built = 0.0, self._build(0.0)

    def gains(self, n: int, state: DriveState) -> Gains:
        speed_mps = self._speed_mps(state.speed_mps)
        if speed_mps != self._built[0]:
            self._built = speed_mps, self._build(speed_mps)
        # Sionna's own generator, not torch's global one that others may have seeded.
        seed = np.random.SeedSequence((self._seed, state.frame)).generate_state(1, np.uint64)
        self._phy.config.torch_rng("cpu").manual_seed(int(seed[0]))
        times = len(self._grid.times_s(n))
        paths, delays_s = self._built[1](1, times, 1 / self._grid.duration_s)
        paths = paths[0, 0, 0, 0, 0].numpy().T * np.float32(self._useful**-0.5)
        delays_s = delays_s[0, 0, 0].numpy().astype(float)
        steering = self._grid.prefix_share(delays_s)[:, None] * self._grid.steering(delays_s)
        useful = self._useful * self._doppler_share(speed_mps)
        return self._laid(paths @ steering.astype(np.complex64), n, useful)

    def _build(self, speed_mps: float) -> Callable[..., Any]:
        """Sionna's model at that speed."""
        import torch
        from sionna.phy.channel.tr38901 import CDL, AntennaArray

        heading = 2 * np.pi * np.random.default_rng(self._seed).random()
        velocity = speed_mps * np.array([np.cos(heading), np.sin(heading), 0])
        antenna = AntennaArray(
            num_rows=1, num_cols=1, polarization="single", polarization_type="V",
            antenna_pattern="omni", carrier_frequency=self._carrier_hz,
        )  # fmt: skip
        return CDL(
            self._profile.upper(), self._delay_spread_s, self._carrier_hz, antenna, antenna,
            "uplink", ut_velocity=torch.tensor(velocity, dtype=torch.float32), spec_version="16.1",
        )  # fmt: skip
