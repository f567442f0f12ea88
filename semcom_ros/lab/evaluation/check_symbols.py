# SPDX-License-Identifier: Apache-2.0
"""Figures of symbols that went through the radio: bit errors, power, SNR, fades, shadowing; and the
radio's one gain a subcarrier against OFDM done sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.fading.delay_lines import PROFILES
from semcom_ros.channel.fading.jakes import Jakes, wavelength_m
from semcom_ros.channel.fading.ofdm import CYCLIC_PREFIX, SUBCARRIERS, OfdmGrid, interference
from semcom_ros.channel.phy import theory
from semcom_ros.channel.phy.modulation import MODULATIONS, hard_decide, modulate
from semcom_ros.lab.evaluation.probe import Figure, analog, qpsk, within
from semcom_ros.lab.map_noise import gaussian, poisson, poisson_gaussian

# As many fades as the models admit, so that few symbols see many of them; a frame does not last
# until the next.
FAST = {
    "k_db": 6.0, "speed_kmh": 500.0, "carrier_ghz": 100.0, "symbol_rate_mhz": 1.0, "rate_hz": 0.1,
}  # fmt: skip
FAST_OFDM = {**FAST, "carrier_ghz": 40.0, "symbol_rate_mhz": 10.0, "delay_spread_ns": 200.0}
"""A Doppler just under half of the subcarrier spacing, and echoes about as long as the prefix."""
_UNCODED_SNR_DB = {
    "awgn": {"qpsk": (2, 4, 6, 8), "16qam": (8, 10, 12, 14), "64qam": (12, 15, 18, 20)},
    "rayleigh": {"qpsk": (0, 4, 8, 12), "16qam": (4, 8, 12, 16), "64qam": (8, 12, 16, 20)},
    "rician": {"qpsk": (0, 4, 8, 11), "16qam": (6, 9, 12, 15), "64qam": (10, 13, 16, 20)},
}
_UNCODED_SYMBOLS = 300_000
_POWER_SYMBOLS, _POWER_FRAMES = 2_000_000, 2
_POWER_FRAMES_OFDM = 8  # each OFDM symbol meets few independent fades
_CLEAR_DB = 60.0
_PERIOD = CYCLIC_PREFIX + SUBCARRIERS
# Subcarriers 30 kHz apart, at which the levels of interference are commonly given.
_ROAD = {"carrier_ghz": 5.9, "symbol_rate_mhz": 7.68, "delay_spread_ns": 100.0}


def uncoded(seed: int) -> Iterator[Figure]:
    """Bit error rates of QAM without a code, zero forcing, within 5 % of the formulas."""
    formulas = {
        "awgn": theory.awgn_bit_error_rate,
        "rayleigh": theory.rayleigh_bit_error_rate,
        "rician": lambda m, snr_db: theory.rician_bit_error_rate(m, snr_db, FAST["k_db"]),
    }
    rng = np.random.default_rng(seed)
    for model, schemes in _UNCODED_SNR_DB.items():
        for modulation, snrs_db in schemes.items():
            channel = Channel(seed, channel=model, equaliser="zf", **FAST)
            bits = rng.integers(0, 2, _UNCODED_SYMBOLS * MODULATIONS[modulation], np.uint8)
            sent = modulate(bits, modulation)
            for sequence, snr_db in enumerate(snrs_db):
                channel.configure(snr_db=snr_db)
                received = channel.transmit(analog(sent, sequence)).parts[0].symbols
                rate = np.mean(hard_decide(received, modulation) != bits)
                wanted = float(formulas[model](modulation, snr_db))
                yield within(0.05 * wanted, f"BER {modulation} {model} {snr_db} dB", rate, wanted)


def levels(seed: int) -> Iterator[Figure]:
    """SNR at the receiver within 0.05 dB of the one set: that of the symbols as they arrive, sent
    at a power of 9, and the one that the receiver estimates from pilots and reports."""
    sent = 3 * qpsk(3_000_000, np.random.default_rng(seed))
    for snr_db in (5.0, 15.0, 30.0):
        settings = {"channel": "awgn", "snr_db": snr_db, "csi": "estimated", "equaliser": "none"}
        channel = Channel(seed, **settings)
        received = channel.transmit(analog(sent))
        noise = np.mean(np.abs(received.parts[0].symbols - sent) ** 2, dtype=float)
        yield within(0.05, f"SNR of symbols at {snr_db:g} dB", 10 * np.log10(9 / noise), snr_db)
        yield within(0.05, f"SNR reported at {snr_db:g} dB", received.snr_db, snr_db)


def mean_power(seed: int) -> Iterator[Figure]:
    """Mean power of what arrives, its noise taken off, within 0.05 dB of the power sent."""
    sent = qpsk(_POWER_SYMBOLS, np.random.default_rng(seed))
    for model in ("awgn", "rayleigh", "rician", "tdl_a", "tdl_b", "tdl_c", "tdl_d", "tdl_e"):
        is_ofdm = model.startswith("tdl")
        settings = FAST_OFDM if is_ofdm else FAST
        channel = Channel(seed, channel=model, snr_db=_CLEAR_DB, equaliser="none", **settings)
        powers = []
        for sequence in range(_POWER_FRAMES_OFDM if is_ofdm else _POWER_FRAMES):
            part = channel.transmit(analog(sent, sequence)).parts[0]
            arrived = np.mean(np.abs(part.symbols) ** 2, dtype=float)
            powers.append(arrived - np.mean(part.noise_variance, dtype=float))
        yield within(0.05, f"mean power {model}, dB", 10 * np.log10(np.mean(powers)), 0.0)


def autocorrelation(seed: int) -> Iterator[Figure]:
    """That of Rayleigh fading within 0.02 of Clarke's, over 300 radios and 2000 symbols of each."""
    sent = np.ones(2000, np.complex64)
    settings = {"channel": "rayleigh", "snr_db": _CLEAR_DB, "equaliser": "none", **FAST}
    fades = np.array(
        [Channel(seed + i, **settings).transmit(analog(sent)).parts[0].symbols for i in range(300)]
    )
    doppler = doppler_hz(FAST)
    for lag in (0, 2, 5, 8, 13):
        measured = np.mean(fades[:, lag:] * np.conj(fades[:, : len(sent) - lag]))
        delay_s = lag * 1e-6 / FAST["symbol_rate_mhz"]
        wanted = theory.jakes_autocorrelation(doppler, delay_s)
        yield within(
            0.02, f"autocorrelation at f_d tau {doppler * delay_s:.2f}", measured.real, wanted
        )


def shadowing(seed: int) -> Iterator[Figure]:
    """Standard deviation within 5 %, and autocorrelation within 0.05, over 6000 frames 10 m apart
    of shadowing that decorrelates in 20 m; seen in the SNR that the receiver reports."""
    std_db, decorrelation_m, step_m = 6.0, 20.0, 10.0
    channel = Channel(
        seed, channel="awgn", shadowing_db=std_db, shadowing_m=decorrelation_m,
        speed_kmh=360.0, rate_hz=100.0 / step_m,
    )  # fmt: skip
    sent = np.ones(1, np.complex64)
    seen_db = np.array([channel.transmit(analog(sent, i)).snr_db for i in range(6000)])
    seen_db -= channel.settings.snr_db
    yield within(0.05 * std_db, "shadowing, standard deviation, dB", np.std(seen_db), std_db)
    for lag in (1, 2, 4):
        measured = np.mean(seen_db[lag:] * seen_db[:-lag]) / np.mean(seen_db**2)
        wanted = np.exp(-lag * step_m / decorrelation_m)
        yield within(0.05, f"shadowing, autocorrelation at {lag * step_m:g} m", measured, wanted)


def map_noises(seed: int) -> Iterator[Figure]:
    """Variance of each noise on the planes of a map, on values of 1, within 2 %."""
    rng, psnr_db = np.random.default_rng(seed), 10.0
    planes = np.zeros((2, 256, 512), np.float32)
    planes[0] = 1
    for noise in (gaussian, poisson, poisson_gaussian):
        found = np.var(noise(planes, psnr_db, rng)[0])
        yield within(0.002, f"variance of {noise.__name__} noise", found, 0.1)


def flat_fading(seed: int) -> Iterator[Figure]:
    """Zero forcing of OFDM done sample by sample by `OfdmGrid`'s gains: the worst symbol's error.

    The channel is one that the cyclic prefix just outlasts, at rest, without noise.
    """
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, CYCLIC_PREFIX + 1, 1))
    taps = (real + 1j * imaginary) / (2 * len(real)) ** 0.5
    symbols = qpsk(4 * SUBCARRIERS, rng).reshape(4, -1)
    grid = OfdmGrid(10e6)
    response = taps[:, 0] @ grid.steering(np.arange(len(taps)) / grid.bandwidth_hz)
    worst = np.abs(send_ofdm(symbols, taps) / response - symbols).max()
    yield within(1e-3, "OFDM, zero forcing: worst error of a symbol", worst, 0.0)


def interference_by_doppler(seed: int) -> Iterator[Figure]:
    """Interference between subcarriers over TDL-C, dB over the signal, within 0.5 dB.

    Measured sample by sample over 1000 OFDM symbols, each in a fade of its own, echoes rounded to
    samples; wanted is what the radio counts as noise.
    """
    grid = OfdmGrid(_ROAD["symbol_rate_mhz"] * 1e6)
    delays, powers_db = np.array(PROFILES["c"]).T
    delays = np.rint(delays * _ROAD["delay_spread_ns"] * 1e-9 * grid.bandwidth_hz).astype(int)
    amplitudes = (10 ** (powers_db / 10) / np.sum(10 ** (powers_db / 10))) ** 0.5
    steering = grid.steering(np.arange(delays.max() + 1) / grid.bandwidth_hz)
    for speed_kmh in (120.0, 250.0):
        rng = np.random.default_rng(seed)
        settings = {**_ROAD, "speed_kmh": speed_kmh}
        lost, useful = [], []
        for _ in range(1000):
            jakes = Jakes(doppler_hz(settings), len(delays), rng)
            fades = jakes.run(0.0, 1 / grid.bandwidth_hz, _PERIOD)
            taps = np.zeros((len(steering), _PERIOD), complex)
            np.add.at(taps, delays, amplitudes[:, None] * fades)
            sent = qpsk(SUBCARRIERS, rng)[None]
            response = taps[:, CYCLIC_PREFIX:].mean(axis=1) @ steering
            lost.append(np.mean(np.abs(send_ofdm(sent, taps) - response * sent) ** 2))
            useful.append(np.mean(np.abs(response) ** 2))

        channel = Channel(seed, channel="tdl_c", snr_db=60.0, equaliser="none", **settings)
        received = channel.transmit(analog(sent.ravel())).parts[0]
        counted = float(np.mean(received.noise_variance)) - 10**-6.0
        found_db, wanted_db = 10 * np.log10((np.mean(lost) / np.mean(useful), counted))
        yield within(0.5, f"interference tdl_c {speed_kmh:g} km/h, dB", found_db, wanted_db)


def bit_errors(seed: int) -> Iterator[Figure]:
    """Bit error rate of QPSK over TDL-C, zero forcing, within 5 % of that over flat fading.

    Every subcarrier of TDL-C is in Rayleigh fading; interference adds to the noise.
    """
    bits = np.random.default_rng(seed).integers(0, 2, 4_000_000, np.uint8)
    channel = Channel(seed, channel="tdl_c", equaliser="zf", **FAST_OFDM)
    received = channel.transmit(analog(modulate(bits, "qpsk"))).parts[0].symbols
    rate = np.mean(hard_decide(received, "qpsk") != bits)
    doppler = doppler_hz(FAST_OFDM)
    share = OfdmGrid(FAST_OFDM["symbol_rate_mhz"] * 1e6).doppler_share(doppler)
    noise = 10 ** (-channel.settings.snr_db / 10) + interference(share)
    wanted = theory.rayleigh_bit_error_rate("qpsk", -10 * np.log10(noise))
    what = f"BER qpsk tdl_c {channel.settings.snr_db:g} dB, {doppler / 1e3:.1f} kHz Doppler"
    yield within(0.05 * wanted, what, rate, wanted)


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


def doppler_hz(settings: Mapping[str, float]) -> float:
    """Greatest Doppler shift, v over the wavelength, Hz."""
    return settings["speed_kmh"] / 3.6 / wavelength_m(settings["carrier_ghz"])


CHECKS = (
    uncoded, levels, mean_power, autocorrelation, shadowing, map_noises, flat_fading,
    interference_by_doppler, bit_errors,
)  # fmt: skip
"""Each yields figures by a seed of data, fades and noise."""
