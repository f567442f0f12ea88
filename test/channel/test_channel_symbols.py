# SPDX-License-Identifier: Apache-2.0
"""Symbols over the emulated radio: what test_channel_check does not hold against theory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from semcom_ros.channel.fading.flat import Rayleigh, Rician
from semcom_ros.channel.fading.jakes import Jakes, wavelength_m
from semcom_ros.channel.fading.propagation import (
    PROPAGATIONS,
    DriveState,
    Gains,
    Propagation,
    create_propagation,
)
from semcom_ros.channel.parameters import resolve
from semcom_ros.channel.phy.modulation import constellation
from semcom_ros.channel.phy.symbol_link import (
    complex_noise,
    measured_snr_db,
    noise_power,
    observe,
    transmit_symbols,
)
from semcom_ros.channel.phy.theory import (
    awgn_bit_error_rate,
    rayleigh_bit_error_rate,
    rician_bit_error_rate,
)
from semcom_ros.errors import SemcomError

# As many fades a symbol as the model admits, so that few symbols see many of them.
FAST = {"carrier_ghz": 100.0, "symbol_rate_mhz": 1.0}
FAST_KMH = 500.0


def model(name: str, seed: int = 1, **settings: float | str) -> Propagation:
    return create_propagation(resolve({"channel": name, **settings}), seed)


def at(frame: float, speed_kmh: float = 50.0) -> DriveState:
    """The beginning of a frame, ten of which are sent a second."""
    speed_mps = speed_kmh / 3.6
    return DriveState(int(frame), speed_mps * frame / 10, speed_mps)


class Arrived(NamedTuple):
    symbols: np.ndarray
    noise_variance: np.ndarray
    snr_db: float


def send(
    sent: np.ndarray,
    gains: Gains,
    snr_db: float,
    seed: int = 0,
    csi: str = "perfect",
    equaliser: str = "zf",
) -> Arrived:
    rng, noise = np.random.default_rng(seed), noise_power(snr_db, gains)
    fade = observe(gains, noise, csi, rng)
    received = transmit_symbols(sent, gains.gains, fade, noise, equaliser, rng)
    return Arrived(*received, measured_snr_db(fade, noise))


def qpsk(n: int) -> np.ndarray:
    return constellation("qpsk")[np.random.default_rng(9).integers(0, 4, n)]


def power(values: np.ndarray) -> float:
    return float(np.mean(np.abs(values) ** 2))


def decibels(ratio: float) -> float:
    return 10 * np.log10(ratio)


def test_the_formulas_agree_with_published_and_with_limiting_cases() -> None:
    assert awgn_bit_error_rate("qpsk", 4 + 3.0103) == pytest.approx(1.250e-2, rel=1e-3)
    assert awgn_bit_error_rate("16qam", 8 + 6.0206) == pytest.approx(9.25e-3, rel=1e-3)
    for name in ("qpsk", "16qam", "64qam"):
        steady, scattered = (rician_bit_error_rate(name, 12.0, k_db) for k_db in (70.0, -70.0))
        assert steady == pytest.approx(awgn_bit_error_rate(name, 12.0), rel=1e-4)
        assert scattered == pytest.approx(rayleigh_bit_error_rate(name, 12.0), rel=1e-4)


def test_fading_is_complex_gaussian_over_the_ensemble_even_at_rest() -> None:
    fade = Jakes(0.0, 30_000, np.random.default_rng(2)).run(0.0, 7.0, 2)
    assert np.array_equal(fade[:, 0], fade[:, 1])
    assert power(fade) == pytest.approx(1, rel=0.02)
    assert np.mean(fade.real * fade.imag) == pytest.approx(0, abs=0.01)
    for least in (0.1, 0.5, 1.0, 2.0):
        share = np.mean(np.abs(fade[:, 0]) ** 2 > least)
        assert share == pytest.approx(np.exp(-least), abs=0.01)


def test_fast_and_plain_evaluation_of_the_fade_agree() -> None:
    fade = Jakes(300.0, 3, np.random.default_rng(1))
    times = 3600.0 + 1e-4 * np.arange(1000)
    one_by_one = np.hstack([fade.run(time, 0.0, 1) for time in times])
    assert np.abs(fade.run(3600.0, 1e-4, 1000) - one_by_one).max() < 1e-5


def test_doppler_is_speed_over_wavelength() -> None:
    assert 50.0 / 3.6 / wavelength_m(5.9) == pytest.approx(273.3, abs=0.1)


def test_rician_fading_has_the_steady_power_that_was_asked() -> None:
    frames = model("rician", fading="block", k_db=3.0)
    gains = np.array([frames.gains(1, at(i)).gains[0] for i in range(3000)])
    # Of |h|^2 the variance is (1 + 2 K) / (1 + K)^2.
    k = 10**0.3
    assert power(gains) == pytest.approx(1, rel=0.05)
    assert np.var(np.abs(gains) ** 2) == pytest.approx((1 + 2 * k) / (1 + k) ** 2, rel=0.1)


@pytest.mark.parametrize("name", ["rayleigh", "rician"])
def test_fading_goes_on_from_frame_to_frame(name: str) -> None:
    whole = model(name, seed=3).gains(2000, at(5)).gains
    link = model(name, seed=3)
    halves = [link.gains(1000, at(5 + i * 1000 * 1e-6)).gains for i in range(2)]
    assert np.abs(whole - np.concatenate(halves)).max() < 1e-5


@pytest.mark.parametrize("fading", ["jakes", "block"])
@pytest.mark.parametrize("name", ["rayleigh", "rician"])
def test_the_same_seed_gives_the_same_fades_whichever_frames_are_sent(
    name: str, fading: str
) -> None:
    one, other = (model(name, seed=5, fading=fading) for _ in range(2))
    one.gains(10, at(1))
    assert np.array_equal(one.gains(100, at(2)).gains, other.gains(100, at(2)).gains)
    different = model(name, seed=6, fading=fading).gains(100, at(2)).gains
    assert np.abs(one.gains(100, at(2)).gains - different).max() > 0.01


def test_block_fading_is_one_gain_a_frame_and_another_in_the_next() -> None:
    link = model("rayleigh", fading="block")
    first, second = (link.gains(100, at(frame)).gains for frame in (0, 1))
    assert (first == first[0]).all() and (second == second[0]).all()
    assert abs(first[0] - second[0]) > 0.01


@pytest.mark.parametrize("scale", [1.0, 7.0, 1e-3])
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0, 40.0])
def test_noise_has_the_snr_that_was_set_whatever_the_power_of_the_payload(
    snr_db: float, scale: float
) -> None:
    sent = np.complex64(scale) * qpsk(200_000)
    received = send(sent, model("awgn").gains(len(sent), at(0)), snr_db)
    noise = received.symbols - sent
    assert decibels(power(sent) / power(noise)) == pytest.approx(snr_db, abs=0.05)
    assert decibels(power(sent) / received.noise_variance.mean()) == pytest.approx(snr_db, abs=0.01)
    assert received.snr_db == pytest.approx(snr_db, abs=0.01)
    assert noise.real.var() == pytest.approx(noise.imag.var(), rel=0.02)
    assert abs(np.mean(noise.real * noise.imag)) < 0.01 * power(noise)


@pytest.mark.parametrize("csi", ["perfect", "estimated"])
@pytest.mark.parametrize("name", ["rayleigh", "rician"])
def test_the_receiver_measures_the_snr_of_the_fade_it_is_in(name: str, csi: str) -> None:
    gains = model(name, **FAST).gains(200_000, at(0, FAST_KMH))
    received = send(qpsk(200_000), gains, 10.0, csi=csi)
    assert received.snr_db == pytest.approx(10.0 + decibels(power(gains.gains)), abs=0.05)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
@pytest.mark.parametrize("equaliser", ["zf", "mmse"])
@pytest.mark.parametrize("csi", ["perfect", "estimated"])
@pytest.mark.parametrize("name", ["awgn", "rayleigh"])
def test_the_noise_variance_is_what_the_symbols_are_off_by(
    name: str, csi: str, equaliser: str, snr_db: float
) -> None:
    sent = qpsk(200_000)
    gains = model(name, symbol_rate_mhz=1.0).gains(len(sent), at(0, FAST_KMH))
    received = send(sent, gains, snr_db, csi=csi, equaliser=equaliser)
    ratio = np.abs(received.symbols - sent) ** 2 / received.noise_variance
    assert np.mean(ratio) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_the_noise_variance_is_true_of_short_payloads_that_few_pilots_serve(snr_db: float) -> None:
    sent, link = qpsk(300), model("rayleigh", fading="block")
    ratios = []
    for i in range(400):
        gains = link.gains(len(sent), at(i))
        received = send(sent, gains, snr_db, seed=i, csi="estimated", equaliser="mmse")
        ratios.append(np.mean(np.abs(received.symbols - sent) ** 2 / received.noise_variance))
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_minimum_mean_squared_error_is_smaller_than_that_of_zero_forcing() -> None:
    sent = qpsk(100_000)
    gains = model("rayleigh", **FAST).gains(len(sent), at(0, FAST_KMH))
    errors = {
        (csi, how): power(send(sent, gains, 8.0, csi=csi, equaliser=how).symbols - sent)
        for csi in ("perfect", "estimated")
        for how in ("mmse", "zf")
    }
    assert errors["perfect", "mmse"] < errors["perfect", "zf"]
    assert errors["perfect", "mmse"] < errors["estimated", "mmse"] < errors["estimated", "zf"]


def test_without_equaliser_the_symbols_arrive_faded_and_noisy() -> None:
    sent = qpsk(100_000)
    gains = model("rayleigh").gains(len(sent), at(0))
    received = send(sent, gains, 6.0, equaliser="none")
    noise = power(received.symbols - gains.gains * sent)
    assert noise == pytest.approx(10**-0.6, rel=0.02)
    assert received.noise_variance == pytest.approx(10**-0.6)


def test_interference_between_carriers_counts_as_noise() -> None:
    sent = qpsk(100_000)
    gains = Gains(np.ones(len(sent), np.complex64), 0.1, 64)
    received = send(sent, gains, 10.0)
    assert power(received.symbols - sent) == pytest.approx(0.2, rel=0.02)
    assert received.snr_db == pytest.approx(decibels(5), abs=0.01)


@pytest.mark.parametrize("csi", ["perfect", "estimated"])
@pytest.mark.parametrize("equaliser", ["zf", "mmse", "none"])
def test_whatever_is_sent_comes_out_finite(equaliser: str, csi: str) -> None:
    payloads = [np.complex64(scale) * qpsk(100) for scale in (0.0, 1e-44, 1e-30, 1e20, 3e38)]
    for sent in (*payloads, qpsk(1)):
        for gain in (1.0, 1e-20, 0.0):
            gains = Gains(np.full(len(sent), gain, np.complex64), 0.0, 64)
            received = send(sent, gains, 60.0, csi=csi, equaliser=equaliser)
            assert received.symbols.dtype == np.complex64
            assert received.noise_variance.dtype == np.float32
            assert len(received.symbols) == len(received.noise_variance) == len(sent)
            assert np.isfinite(received.symbols).all() and np.isfinite(received.snr_db)
            assert np.isfinite(received.noise_variance).all()
            assert (received.noise_variance >= 0).all()


def test_complex_noise_has_its_variance_in_both_parts() -> None:
    noise = complex_noise(np.random.default_rng(1), 200_000, 3.0)
    assert noise.dtype == np.complex64
    assert noise.real.var() == pytest.approx(1.5, rel=0.02)
    assert noise.imag.var() == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("kind", [Rayleigh, Rician])
def test_a_doppler_faster_than_the_symbols_is_refused(kind: type) -> None:
    name = kind.__name__.lower()
    with pytest.raises(SemcomError, match="raise symbol_rate_mhz"):
        model(name, carrier_ghz=100.0, symbol_rate_mhz=0.1).check(500 / 3.6)


def test_unknown_names_are_refused_with_the_nearest_valid_one() -> None:
    assert {"awgn", "rayleigh", "rician", "tdl_a", "cdl_e", "trace"} <= PROPAGATIONS.keys()
    with pytest.raises(SemcomError, match="did you mean 'rician'"):
        model("ricean")
    gains = Gains(np.ones(4, np.complex64), 0.0, 64)
    with pytest.raises(SemcomError, match="did you mean 'mmse'"):
        send(qpsk(4), gains, 10.0, equaliser="mse")
    with pytest.raises(SemcomError, match="did you mean 'perfect'"):
        send(qpsk(4), gains, 10.0, csi="perfekt")
