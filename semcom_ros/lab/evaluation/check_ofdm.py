# SPDX-License-Identifier: Apache-2.0
"""Figures of OFDM: the radio's one gain a subcarrier against OFDM done sample by sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.fading.jakes import Jakes
from semcom_ros.channel.fading.ofdm import CYCLIC_PREFIX, SUBCARRIERS, Grid, interference
from semcom_ros.channel.fading.tapped_delay_line import PROFILES
from semcom_ros.channel.phy import theory
from semcom_ros.channel.phy.modulation import hard_decide, modulate
from semcom_ros.lab.evaluation.check_symbols import FAST_OFDM, doppler_hz
from semcom_ros.lab.evaluation.figure import Figure, within
from semcom_ros.lab.evaluation.probe import analog, qpsk

_PERIOD = CYCLIC_PREFIX + SUBCARRIERS
# Subcarriers 30 kHz apart, at which the levels of interference are commonly given.
_ROAD = {"carrier_ghz": 5.9, "symbol_rate_mhz": 7.68, "delay_spread_ns": 100.0}


def ofdm(seed: int) -> Iterator[Figure]:
    """Flat fading of each subcarrier, the interference that Doppler causes, and the bit errors."""
    yield flat_fading(seed)
    for speed_kmh in (120.0, 250.0):
        yield interference_by_doppler(speed_kmh, seed)
    yield bit_errors(seed)


def flat_fading(seed: int) -> Figure:
    """Zero forcing of OFDM done sample by sample by the gains of `Grid`: the worst symbol's error.

    The channel is one that the cyclic prefix just outlasts, at rest, without noise.
    """
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, CYCLIC_PREFIX + 1, 1))
    taps = (real + 1j * imaginary) / (2 * len(real)) ** 0.5
    symbols = qpsk(4 * SUBCARRIERS, rng).reshape(4, -1)
    grid = Grid(10e6)
    response = taps[:, 0] @ grid.steering(np.arange(len(taps)) / grid.bandwidth_hz)
    worst = np.abs(send_ofdm(symbols, taps) / response - symbols).max()
    return within(1e-3, "OFDM, zero forcing: worst error of a symbol", worst, 0.0)


def interference_by_doppler(speed_kmh: float, seed: int) -> Figure:
    """Interference between subcarriers over TDL-C, dB over the signal, within 0.5 dB.

    Measured sample by sample over 1000 OFDM symbols, each in a fade of its own, echoes rounded to
    samples; wanted is what the radio counts as noise.
    """
    rng = np.random.default_rng(seed)
    grid = Grid(_ROAD["symbol_rate_mhz"] * 1e6)
    delays, powers_db = np.array(PROFILES["c"]).T
    delays = np.rint(delays * _ROAD["delay_spread_ns"] * 1e-9 * grid.bandwidth_hz).astype(int)
    amplitudes = (10 ** (powers_db / 10) / np.sum(10 ** (powers_db / 10))) ** 0.5
    steering = grid.steering(np.arange(delays.max() + 1) / grid.bandwidth_hz)
    settings = {**_ROAD, "speed_kmh": speed_kmh}
    doppler = doppler_hz(settings)
    lost, useful = [], []
    for _ in range(1000):
        fades = Jakes(doppler, len(delays), rng).run(0.0, 1 / grid.bandwidth_hz, _PERIOD)
        taps = np.zeros((len(steering), _PERIOD), complex)
        np.add.at(taps, delays, amplitudes[:, None] * fades)
        sent = qpsk(SUBCARRIERS, rng)[None]
        response = taps[:, CYCLIC_PREFIX:].mean(axis=1) @ steering
        lost.append(np.mean(np.abs(send_ofdm(sent, taps) - response * sent) ** 2))
        useful.append(np.mean(np.abs(response) ** 2))

    channel = Channel(seed, channel="tdl_c", snr_db=60.0, equaliser="none", **settings)
    received = channel.transmit(analog(sent.ravel())).parts[0]
    counted = float(np.mean(received.noise_variance)) - 10**-6.0
    what = f"interference tdl_c {speed_kmh:g} km/h, dB"
    return within(0.5, what, 10 * np.log10(np.mean(lost) / np.mean(useful)), 10 * np.log10(counted))


def bit_errors(seed: int) -> Figure:
    """Bit error rate of QPSK over TDL-C, zero forcing, within 5 % of that over flat fading.

    Every subcarrier of TDL-C is in Rayleigh fading; interference adds to the noise.
    """
    bits = np.random.default_rng(seed).integers(0, 2, 4_000_000, np.uint8)
    channel = Channel(seed, channel="tdl_c", equaliser="zf", **FAST_OFDM)
    received = channel.transmit(analog(modulate(bits, "qpsk"))).parts[0].symbols
    rate = np.mean(hard_decide(received, "qpsk") != bits)
    doppler = doppler_hz(FAST_OFDM)
    share = Grid(FAST_OFDM["symbol_rate_mhz"] * 1e6).doppler_share(doppler)
    noise = 10 ** (-channel.settings.snr_db / 10) + interference(share)
    wanted = theory.rayleigh_bit_error_rate("qpsk", -10 * np.log10(noise))
    what = f"BER qpsk tdl_c {channel.settings.snr_db:g} dB, {doppler / 1e3:.1f} kHz Doppler"
    return within(0.05 * wanted, what, rate, wanted)


def send_ofdm(symbols: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """OFDM symbols, complex [m, 256], through a channel and back, sample by sample.

    taps: complex [p, 274 m], echo p of each sample of time p samples late; or [p, 1], at rest.
    """
    samples = np.fft.ifft(symbols, axis=1)
    sent = np.concatenate([samples[:, -CYCLIC_PREFIX:], samples], axis=1).ravel()
    received = np.zeros_like(sent)
    for delay, gains in enumerate(np.broadcast_to(taps, (len(taps), len(sent)))):
        received[delay:] += gains[delay:] * sent[: len(sent) - delay]
    return np.fft.fft(received.reshape(len(symbols), -1)[:, CYCLIC_PREFIX:], axis=1)
