# SPDX-License-Identifier: Apache-2.0
"""OFDM over multipath against the same thing done sample by sample, and 3GPP's delay lines."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from semcom_ros.channel.fading.delay_lines import PROFILES, ClusteredDelayLine, TappedDelayLine
from semcom_ros.channel.fading.jakes import Jakes, wavelength_m
from semcom_ros.channel.fading.ofdm import CYCLIC_PREFIX, SUBCARRIERS, OfdmGrid, interference, lay
from semcom_ros.channel.fading.propagation import DriveState
from semcom_ros.channel.parameters import resolve
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.check_symbols import send_ofdm

BANDWIDTH_HZ = 10e6
SAMPLE_S = 1 / BANDWIDTH_HZ
SETTINGS = {"channel": "tdl_c", "fading": "block"}


def line(seed: int = 3, **settings) -> TappedDelayLine:
    return TappedDelayLine(resolve({**SETTINGS, **settings}), seed)


def at(frame: float, speed_kmh: float = 50.0) -> DriveState:
    """The beginning of a frame, ten of which are sent a second."""
    speed_mps = speed_kmh / 3.6
    return DriveState(int(frame), speed_mps * frame / 10, speed_mps)


def qpsk(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.exp(0.25j * np.pi * (2 * rng.integers(0, 4, shape) + 1))


def db(ratio: float) -> float:
    return 10 * np.log10(ratio)


def test_echoes_beyond_the_prefix_cost_what_the_formula_says() -> None:
    rng = np.random.default_rng(2)
    taps = np.zeros((CYCLIC_PREFIX + 65, 1))
    taps[0], taps[-1] = 0.8, 0.6
    delays_s = np.arange(len(taps)) * SAMPLE_S
    grid = OfdmGrid(BANDWIDTH_HZ)
    share = grid.prefix_share(delays_s)
    assert share[-1] == 1 - 64 / 256
    response = (taps[:, 0] * share) @ grid.steering(delays_s)
    symbols = qpsk(rng, 400, SUBCARRIERS)
    error = np.mean(np.abs(send_ofdm(symbols, taps) - response * symbols)[1:] ** 2)
    useful = float(taps[:, 0] ** 2 @ share**2)
    assert error / useful == pytest.approx(interference(useful), rel=0.02)


@pytest.mark.parametrize(("speed_kmh", "of_sionna_db"), [(120, 23.6), (250, 18.6), (500, 11.9)])
def test_doppler_costs_what_it_costs_in_sionna(speed_kmh: int, of_sionna_db: float) -> None:
    # 7.68 MHz, so that subcarriers are 30 kHz apart.
    sample_s = 1 / 7.68e6
    samples = 20 * (CYCLIC_PREFIX + SUBCARRIERS)
    rng = np.random.default_rng(3)
    of_mean, at_start, power = [], [], []
    for _ in range(40):
        fade = Jakes(speed_kmh / 3.6 / wavelength_m(5.9), 1, rng).run(0.0, sample_s, samples)
        symbols = qpsk(rng, 20, SUBCARRIERS)
        received = send_ofdm(symbols, fade)
        mine = fade[0].reshape(20, -1)[:, CYCLIC_PREFIX:]
        mean = mine.mean(axis=1, keepdims=True)
        of_mean.append(np.mean(np.abs(received - mean * symbols) ** 2))
        at_start.append(np.mean(np.abs(received - mine[:, :1] * symbols) ** 2))
        power.append(np.mean(np.abs(mean) ** 2))
    # A receiver that takes the channel at a symbol's start for that of the whole symbol meets four
    # times as much, which is what is measured with Sionna's TimeChannel and its own responses.
    assert np.mean(at_start) / np.mean(of_mean) == pytest.approx(4, rel=0.03)
    assert db(np.mean(power) / np.mean(at_start)) == pytest.approx(of_sionna_db, abs=1.2)


def test_interference_by_doppler_stays_under_its_bound_and_near_it() -> None:
    grid = OfdmGrid(BANDWIDTH_HZ)
    for turns, near in ((0.001, 0.999), (0.02, 0.999), (0.1, 0.98), (0.5, 0.75)):
        lost = 1 - grid.doppler_share(turns * grid.spacing_hz)
        bound = (np.pi * turns) ** 2 / 6
        assert near * bound < lost <= bound
    assert grid.doppler_share(0.0) == pytest.approx(1)


def test_neighbours_in_the_payload_are_neighbours_on_the_air() -> None:
    grid = np.arange(3 * SUBCARRIERS).reshape(3, -1)
    laid = lay(grid, 600)
    assert len(laid) == 600 and len(set(laid)) == 600
    symbol, subcarrier = np.divmod(laid, SUBCARRIERS)
    assert set(np.abs(np.diff(symbol)) + np.abs(np.diff(subcarrier))) == {1}


@pytest.mark.parametrize("profile", PROFILES)
def test_delay_lines_have_the_delay_spread_that_is_asked(profile: str) -> None:
    delays, powers_db = np.array(PROFILES[profile]).T
    powers = 10 ** (powers_db / 10)
    mean = powers @ delays / powers.sum()
    assert powers @ (delays - mean) ** 2 / powers.sum() == pytest.approx(1, abs=0.02)


def test_responses_correlate_over_frequency_as_the_delay_profile_says() -> None:
    tdl = line(channel="tdl_c", delay_spread_ns=200.0)
    responses = np.array([tdl.gains(256, at(frame)).gains for frame in range(3000)])
    delays, powers_db = np.array(PROFILES["c"]).T
    powers = 10 ** (powers_db / 10) / (10 ** (powers_db / 10)).sum()
    apart = np.arange(0, 128, 8)
    theory = np.exp(-2j * np.pi * np.outer(apart * 10e6 / 256, delays * 200e-9)) @ powers
    measured = [np.mean(responses[:, d : d + 128] * responses[:, :128].conj()) for d in apart]
    np.testing.assert_allclose(measured, theory, atol=0.05)


@pytest.mark.parametrize("profile", ["a", "d"])
def test_the_direct_path_has_the_k_factor_and_the_doppler_of_its_table(profile: str) -> None:
    # Without delay spread all taps are one, at times much further apart than the fade lasts.
    tdl = line(channel=f"tdl_{profile}", delay_spread_ns=0.0, fading="jakes")
    times = np.arange(4000) * 0.0137
    fade = np.array([tdl.gains(1, at(10 * t, 100.0)).gains[0] for t in times])
    power = np.abs(fade) ** 2
    fourth = np.mean(power**2) / np.mean(power) ** 2
    powers = 10 ** (np.array(PROFILES[profile])[:, 1] / 10)
    k = powers[0] / powers[1:].sum() if profile == "d" else 0.0
    # Of a Rician fade; Rayleigh where K = 0.
    assert fourth == pytest.approx((2 + 4 * k + k**2) / (1 + k) ** 2, rel=0.06)
    if profile == "d":
        middle = times + (CYCLIC_PREFIX + 128) / 10e6
        turns = 0.7 * 100.0 / 3.6 / wavelength_m(5.9) * middle
        assert np.abs(np.mean(fade * np.exp(-2j * np.pi * turns))) == pytest.approx(
            (k / (1 + k)) ** 0.5, rel=0.02
        )


def test_the_fade_goes_on_from_frame_to_frame() -> None:
    whole = line(fading="jakes").gains(512, at(10)).gains
    halves = line(fading="jakes")
    duration_s = (SUBCARRIERS + CYCLIC_PREFIX) / 10e6
    first, second = (halves.gains(256, at(10 + 10 * s)).gains for s in (0.0, duration_s))
    np.testing.assert_allclose(np.append(first, second[::-1]), whole, atol=1e-4)


def test_block_fading_holds_in_a_frame_and_has_no_interference() -> None:
    tdl = line(fading="block")
    one, two = (tdl.gains(512, at(frame, 500.0)) for frame in (0, 1))
    np.testing.assert_allclose(one.gains[:256], one.gains[256:][::-1], atol=1e-6)
    assert one.interference == pytest.approx(0, abs=1e-6)
    assert np.abs(np.vdot(one.gains, two.gains)) < 0.9 * np.abs(np.vdot(one.gains, one.gains))


def test_the_same_seed_gives_the_same_fade_and_another_seed_another() -> None:
    same = [line(seed=8).gains(100, at(0)).gains for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.allclose(same[0], line(seed=9).gains(100, at(0)).gains)
    assert len(line().gains(0, at(0)).gains) == 0


def test_absurd_doppler_is_refused() -> None:
    with pytest.raises(SemcomError, match="Doppler shift of 46328 Hz is too much.*speed_kmh"):
        line(fading="jakes", carrier_ghz=100.0).check(500 / 3.6)


needs_sionna = pytest.mark.skipif(find_spec("sionna") is None, reason="Sionna is not installed")


@needs_sionna
def test_the_tables_are_those_in_sionna() -> None:
    # Found without an import, which would take seconds.
    root = Path(find_spec("sionna").submodule_search_locations[0])
    for profile, taps in PROFILES.items():
        path = root / f"phy/channel/tr38901/models/v16_1/TDL-{profile.upper()}.json"
        held = json.loads(path.read_text())
        assert list(zip(held["delays"], held["powers"], strict=True)) == list(taps)


@needs_sionna
def test_clustered_delay_lines_have_unit_mean_power_and_repeat_by_seed() -> None:
    import torch

    settings = resolve({"channel": "cdl_c"})
    state = torch.random.get_rng_state()
    cdl, again = ClusteredDelayLine(settings, 3), ClusteredDelayLine(settings, 3)
    frames = np.array([cdl.gains(256, at(frame)).gains for frame in range(200)])
    assert np.mean(np.abs(frames) ** 2) == pytest.approx(1, abs=0.12)
    np.testing.assert_array_equal(again.gains(256, at(0)).gains, frames[0])
    assert not np.allclose(frames[0], frames[1])
    assert torch.equal(state, torch.random.get_rng_state())


@needs_sionna
def test_responses_correlate_over_frequency_and_time_as_those_of_sionna() -> None:
    from semcom_ros.channel.phy.sionna_phy import load_sionna

    phy = load_sionna()
    from sionna.phy.channel.tr38901 import TDL

    phy.config.torch_rng("cpu").manual_seed(4)
    grid, users, symbols = OfdmGrid(10e6), 1500, 20
    speed_kmh = 120.0
    model = TDL("C", 100e-9, 5.9e9, min_speed=speed_kmh / 3.6, spec_version="16.1")
    taps, delays_s = model(users, symbols, 1 / grid.duration_s)
    taps, delays_s = taps[:, 0, 0, 0, 0].numpy(), delays_s[0, 0, 0].numpy().astype(float)
    theirs = np.swapaxes(taps, 1, 2) @ grid.steering(delays_s)
    mine = []
    for seed in range(users):
        tdl = line(fading="jakes", seed=seed)
        mine.append(tdl.gains(symbols * 256, at(0, speed_kmh)).gains.reshape(symbols, 256))
    mine = np.array(mine)
    mine[:, 1::2] = mine[:, 1::2, ::-1]
    for lag in (0, 10, 30, 60):
        of = [np.mean(h[:, 0, lag] * h[:, 0, 0].conj()) for h in (mine, theirs)]
        assert of[0] == pytest.approx(of[1], abs=0.08)
    for lag in (5, 10, 19):
        of = [np.mean(h[:, lag] * h[:, 0].conj()) for h in (mine, theirs)]
        assert of[0] == pytest.approx(of[1], abs=0.08)
