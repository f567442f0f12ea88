# SPDX-License-Identifier: Apache-2.0
"""`semcom channel check`: the emulated radio against theory, one line a figure."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from semcom_ros.channel import theory
from semcom_ros.channel.jakes import Jakes
from semcom_ros.channel.map_noise import gaussian, poisson, poisson_gaussian
from semcom_ros.channel.mcs import MCS_TABLE, symbols_needed
from semcom_ros.channel.modulation import MODULATIONS, constellation, hard_decide, modulate
from semcom_ros.channel.ofdm import CYCLIC_PREFIX, SUBCARRIERS, Grid
from semcom_ros.channel.packet_loss import PacketLoss
from semcom_ros.channel.propagation import create_propagation
from semcom_ros.channel.symbol_link import transmit_symbols

# As many fades as the models admit, so that few symbols see many of them.
_FAST = {
    "k_db": 6.0, "speed_kmh": 500.0, "carrier_ghz": 100.0, "symbol_rate_mhz": 1.0,
    "fading": "jakes",
}  # fmt: skip
_UNCODED_SNR_DB = {
    "awgn": {"qpsk": (2, 4, 6, 8), "16qam": (8, 10, 12, 14), "64qam": (12, 15, 18, 20)},
    "rayleigh": {"qpsk": (0, 4, 8, 12), "16qam": (4, 8, 12, 16), "64qam": (8, 12, 16, 20)},
    "rician": {"qpsk": (0, 4, 8, 11), "16qam": (6, 9, 12, 15), "64qam": (10, 13, 16, 20)},
}
_UNCODED_SYMBOLS = 300_000
# Of Sionna's own decoder with 20 iterations, by scheme, bytes, Eb/N0 in dB: blocks, block errors.
_LDPC_POINTS = {("qpsk_1/2", 125, 1.25): (360, 0.125), ("16qam_2/3", 509, 4.75): (120, 0.08)}
_LDPC_BLOCKS = 400
_PACKETS = 100_000


class Figure(NamedTuple):
    """One line of the table: it holds while `measured` is no further than `bound` from `theory`."""

    what: str
    measured: float
    theory: float
    bound: float

    @property
    def holds(self) -> bool:
        return bool(abs(self.measured - self.theory) <= self.bound)


def figures(seed: int = 0) -> Iterator[Figure]:
    """Everything that is checked; the points of the LDPC code only where Sionna is installed."""
    yield from uncoded(seed)
    if find_spec("sionna"):
        yield from coded(seed)
    yield from fading(seed)
    yield from levels(seed)
    yield from map_noises(seed)
    yield from packets(seed)
    yield ofdm_against_flat_fading(seed)


def uncoded(seed: int) -> Iterator[Figure]:
    """Bit error rates of QAM without a code, within 5 % of the formulas."""
    formulas = {
        "awgn": theory.awgn_bit_error_rate,
        "rayleigh": theory.rayleigh_bit_error_rate,
        "rician": lambda m, snr_db: theory.rician_bit_error_rate(m, snr_db, _FAST["k_db"]),
    }
    rng = np.random.default_rng(seed)
    for model, schemes in _UNCODED_SNR_DB.items():
        gains = create_propagation(model, _FAST, seed + 1).gains(_UNCODED_SYMBOLS, 0.0)
        for modulation, snrs_db in schemes.items():
            bits = rng.integers(0, 2, _UNCODED_SYMBOLS * MODULATIONS[modulation], np.uint8)
            sent = modulate(bits, modulation)
            for snr_db in snrs_db:
                received = transmit_symbols(
                    sent, gains, snr_db, csi="perfect", equaliser="zf", rng=rng
                )
                rate = np.mean(hard_decide(received.symbols, modulation) != bits)
                wanted = float(formulas[model](modulation, snr_db))
                yield Figure(f"BER {modulation} {model} {snr_db} dB", rate, wanted, 0.05 * wanted)


def coded(seed: int) -> Iterator[Figure]:
    """Block error rates of the exact chain, within three standard errors of Sionna's decoder."""
    from semcom_ros.channel.sionna_phy import ExactLink

    link, rng = ExactLink(), np.random.default_rng(seed)
    schemes = {mcs.name: mcs for mcs in MCS_TABLE}
    for (name, n_bytes, ebn0_db), (blocks, wanted) in _LDPC_POINTS.items():
        mcs = schemes[name]
        noise = 10 ** (-ebn0_db / 10) / mcs.bits_per_symbol
        gains = np.ones(symbols_needed(n_bytes, mcs), np.complex64)
        lost = [
            link.transmit(rng.bytes(n_bytes), mcs, gains, noise, rng) is None
            for _ in range(_LDPC_BLOCKS)
        ]
        error = (wanted * (1 - wanted) * (1 / blocks + 1 / _LDPC_BLOCKS)) ** 0.5
        what = f"BLER {name} {8 * n_bytes + 24} bits, Eb/N0 {ebn0_db} dB"
        yield Figure(what, float(np.mean(lost)), wanted, 3 * error)


def fading(seed: int) -> Iterator[Figure]:
    """Autocorrelation over 10 000 processes, and the mean power of every model."""
    doppler_hz, delays = 50.0, np.array([0.0, 0.002, 0.005, 0.0077, 0.012])
    fade = Jakes(doppler_hz, 10_000, np.random.default_rng(seed)).at(delays)
    measured = np.mean(fade * np.conj(fade[:, :1]), axis=0).real
    wanted = theory.jakes_autocorrelation(doppler_hz, delays)
    for delay, m, w in zip(delays, measured, wanted, strict=True):
        yield Figure(f"autocorrelation at f_d tau {doppler_hz * delay:.2f}", m, w, 0.03)
    for model in ("rayleigh", "rician"):
        gains = create_propagation(model, _FAST, seed).gains(200_000, 0.0).gains
        yield Figure(f"mean power {model}", float(np.mean(np.abs(gains) ** 2)), 1.0, 0.02)


def levels(seed: int) -> Iterator[Figure]:
    """SNR at the receiver, from the symbols and as it reports it, within 0.05 dB."""
    rng = np.random.default_rng(seed)
    sent = 3 * constellation("qpsk")[rng.integers(0, 4, 3_000_000)]
    gains = create_propagation("awgn", _FAST, seed).gains(len(sent), 0.0)
    for snr_db in (5.0, 15.0, 30.0):
        received = transmit_symbols(sent, gains, snr_db, csi="estimated", equaliser="none", rng=rng)
        noise = np.mean(np.abs(received.symbols - sent) ** 2)
        yield Figure(f"SNR of symbols at {snr_db:g} dB", 10 * np.log10(9 / noise), snr_db, 0.05)
        yield Figure(f"SNR measured at {snr_db:g} dB", received.snr_db, snr_db, 0.05)


def map_noises(seed: int) -> Iterator[Figure]:
    """Variance of each noise on the planes of a map, on values of 1, within 2 %."""
    rng, psnr_db = np.random.default_rng(seed), 10.0
    planes = np.zeros((2, 256, 512), np.float32)
    planes[0] = 1
    for noise in (gaussian, poisson, poisson_gaussian):
        found = float(np.var(noise(planes, psnr_db, rng)[0]))
        yield Figure(f"variance of {noise.__name__} noise", found, 0.1, 0.002)


def packets(seed: int) -> Iterator[Figure]:
    """Mean loss and mean burst of Gilbert and Elliott's chain, within 5 %."""
    for loss, burst in ((0.1, 4.0), (0.3, 8.0)):
        chain = PacketLoss(loss, burst, seed)
        lost = [chain.lost() for _ in range(_PACKETS)]
        runs = [len(list(run)) for bad, run in itertools.groupby(lost) if bad]
        yield Figure(f"loss {loss:g} in bursts of {burst:g}", np.mean(lost), loss, 0.05 * loss)
        yield Figure(f"bursts of {burst:g}", np.mean(runs), burst, 0.05 * burst)


def ofdm_against_flat_fading(seed: int) -> Figure:
    """OFDM done sample by sample against one gain a subcarrier: the largest difference."""
    rng = np.random.default_rng(seed)
    real, imaginary = rng.normal(size=(2, CYCLIC_PREFIX + 1))
    taps = (real + 1j * imaginary) / (2 * len(real)) ** 0.5
    symbols = constellation("qpsk")[rng.integers(0, 4, (4, SUBCARRIERS))]
    received = send_ofdm(symbols, taps)
    grid = Grid(10e6)
    response = taps @ grid.steering(np.arange(len(taps)) / grid.bandwidth_hz)
    worst = float(np.abs(received / response - symbols).max())
    return Figure("OFDM, zero forcing: worst error of a symbol", worst, 0.0, 1e-3)


def send_ofdm(symbols: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """OFDM symbols, complex [m, 256], through `taps` complex [p], a sample apart, and back."""
    samples = np.fft.ifft(symbols, axis=1)
    sent = np.concatenate([samples[:, -CYCLIC_PREFIX:], samples], axis=1)
    received = np.convolve(sent.ravel(), taps)[: sent.size].reshape(sent.shape)
    return np.fft.fft(received[:, CYCLIC_PREFIX:], axis=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom channel check`."""
    parser.add_argument("--seed", type=int, default=0, help="of data, fades and noise")


def run(args: argparse.Namespace) -> int:
    """Print the table; 1 where a figure is out of its bounds."""
    table = Table("figure", "measured", "theory", "bound", "")
    found = list(figures(args.seed))
    for f in found:
        verdict = "" if f.holds else "OUT OF BOUNDS"
        table.add_row(
            f.what,
            f"{f.measured:.5g}",
            f"{f.theory:.5g}",
            f"\N{PLUS-MINUS SIGN}{f.bound:.2g}",
            verdict,
        )
    console = Console()
    console.print(table)
    broken = sum(not f.holds for f in found)
    console.print(f"{len(found) - broken} of {len(found)} figures within their bounds.")
    if not find_spec("sionna"):
        console.print("The LDPC code was not checked: Sionna is not installed.")
    return int(broken > 0)
