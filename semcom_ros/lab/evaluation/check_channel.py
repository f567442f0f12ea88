# SPDX-License-Identifier: Apache-2.0
"""`semcom channel check`: the emulated radio against theory, one line a figure."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_ndtr

from semcom_ros.channel import Channel
from semcom_ros.channel.phy.mcs import MCS_TABLE
from semcom_ros.channel.phy.modulation import MODULATIONS
from semcom_ros.lab.evaluation import check_symbols
from semcom_ros.lab.evaluation.probe import Figure, digital, within
from semcom_ros.lab.evaluation.shared import show
from semcom_ros.parameter import Parameter

SEED = Parameter("seed", 0, "of data, fades and noise", 0)
_PACKETS = 100_000
# Of Sionna 2.2's LDPC5GDecoder, sum-product, 20 iterations, without the interleaver of TS 38.212
# 5.4.2.2: by scheme and bytes (their CRC comes on top) rows of Eb/N0 in dB, blocks, block errors.
REFERENCE = {
    ("qpsk_1/2", 125): ((1.0, 360, 169), (1.25, 720, 88), (1.5, 360, 13), (1.75, 360, 0)),
    ("16qam_1/2", 253): ((3.25, 180, 50), (3.5, 180, 9), (3.75, 180, 1)),
    ("16qam_2/3", 509): ((4.75, 240, 19), (5.0, 120, 0)),
    ("64qam_2/3", 765): ((7.25, 72, 72), (7.5, 72, 47), (7.75, 72, 4), (8.0, 72, 0)),
}
MOST_DB = 0.25
"""Layered decoding and the interleaver are worth 0.1 dB and more; this much would be a mistake."""
_BLOCKS = 400
_STEP_DB = 0.05
_RATE = 0.2  # about where a block tells most of the threshold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom channel check`."""
    parser.add_argument("--seed", type=int, default=SEED.default, help=SEED.text)


def run(args: argparse.Namespace) -> int:
    """Print the table; 1 where a figure is out of its bounds. Raises SemcomError."""
    found = list(figures(SEED.check(args.seed)))
    broken = sum(not f.holds for f in found)
    rows = [
        (f.what, *(f"{value:.4g}" for value in f[1:]), "" if f.holds else "OUT OF BOUNDS")
        for f in found
    ]
    notes = [f"{len(found) - broken} of {len(found)} figures within their bounds."]
    if not find_spec("sionna"):
        notes.append("The LDPC code was not checked: Sionna is not installed.")
    show(None, ("figure", "measured", "wanted", "least", "most", ""), rows, *notes)
    return int(broken > 0)


def figures(seed: int = SEED.default) -> Iterator[Figure]:
    """Everything that is checked; the LDPC code only where Sionna is installed."""
    for check in check_symbols.CHECKS:
        yield from check(seed)
    if find_spec("sionna"):
        yield from coded(seed)
    yield from packets(seed)


def packets(seed: int) -> Iterator[Figure]:
    """Mean loss and mean burst of Gilbert and Elliott's chain within 5 %, over 1e5 packets."""
    loss, burst = 0.3, 8.0
    channel = Channel(seed, loss=loss, burst=burst)
    lost = [channel.transmit(digital(b"", i)).parts[0].erased for i in range(_PACKETS)]
    bursts = [len(list(run)) for is_lost, run in itertools.groupby(lost) if is_lost]
    yield within(0.05 * loss, f"packets lost at loss {loss:g}", np.mean(lost), loss)
    yield within(0.05 * burst, f"packets in a row at burst {burst:g}", np.mean(bursts), burst)


class Gap(NamedTuple):
    """SNR in dB that the exact chain needs beyond the reference, and its standard error."""

    db: float
    error_db: float


def coded(seed: int) -> Iterator[Figure]:
    """By code, the exact chain's distance in SNR from all points of the reference together."""
    channel = Channel(seed, channel="awgn", coding="exact")
    rng = np.random.default_rng(seed)
    schemes = {mcs.name: mcs for mcs in MCS_TABLE}
    for (name, n_bytes), points in REFERENCE.items():
        mcs = schemes[name]
        ebn0_db, blocks, errors = np.array(points).T
        snr_db = ebn0_db + 10 * np.log10(mcs.bits_per_symbol)
        channel.configure(mcs=name)
        met_db, lost = climb(channel, n_bytes, float(np.median(snr_db)), rng)
        gap = distance(
            np.append(snr_db, met_db),
            np.append(blocks, np.ones(_BLOCKS)),
            np.append(errors, lost),
            ours=np.arange(len(snr_db) + _BLOCKS) >= len(snr_db),
        )
        bits = 8 * n_bytes + 24
        sent = round(bits / mcs.bits_per_symbol) * MODULATIONS[mcs.modulation]
        what = f"LDPC {bits} in {sent}, {mcs.modulation}: dB from Sionna"
        yield figure(what, gap)


def figure(what: str, gap: Gap) -> Figure:
    """What is allowed: no worse than three standard errors, and at most `MOST_DB` better."""
    return Figure(what, gap.db, 0.0, -MOST_DB, min(3 * gap.error_db, MOST_DB))


def climb(
    channel: Channel, n_bytes: int, snr_db: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Send blocks, the SNR rising with each one lost and falling with each that arrives.

    It settles where the share `_RATE` is lost (Kaernbach, "Simple adaptive testing with the
    weighted up-down method", Perception & Psychophysics 49, 1991). Returns the SNR in dB and the
    loss (0 or 1) of each block.
    """
    met_db, lost = np.empty(_BLOCKS), np.empty(_BLOCKS)
    for i in range(_BLOCKS):
        channel.configure(snr_db=snr_db)
        part = channel.transmit(digital(rng.bytes(n_bytes), i)).parts[0]
        met_db[i], lost[i] = snr_db, part.erased
        snr_db += _STEP_DB * (1.0 if part.erased else -_RATE / (1 - _RATE))
    return met_db, lost


def distance(snr_db: np.ndarray, blocks: np.ndarray, errors: np.ndarray, ours: np.ndarray) -> Gap:
    """How much more SNR the points that are `ours` (bool [n]) take than the others, all float [n].

    The block error rate is taken for Q((SNR - threshold) / width) with one width for both, as in
    `channel.block_errors`: a probit regression, fitted by greatest likelihood.
    """
    snr_db = snr_db - snr_db.mean()
    terms = np.stack([~ours, ours, -snr_db], axis=1).astype(float)
    arrived = blocks - errors

    def loss(weights: np.ndarray) -> float:
        z = terms @ weights
        return -float(errors @ log_ndtr(z) + arrived @ log_ndtr(-z))

    def gradient(weights: np.ndarray) -> np.ndarray:
        z = terms @ weights
        return terms.T @ (arrived * _slope(-z) - errors * _slope(z))

    # From a width of 0.2 dB, and thresholds amid the points of each.
    start = 5 * np.array([snr_db[~ours].mean(), snr_db[ours].mean(), 1.0])
    weights = minimize(loss, start, jac=gradient, method="BFGS").x
    theirs, mine, steepness = weights
    z = terms @ weights
    information = (terms.T * (blocks * _slope(z) * _slope(-z))) @ terms
    shift_db = (mine - theirs) / steepness
    direction = np.array([-1.0, 1.0, -shift_db]) / steepness
    error_db = (direction @ np.linalg.pinv(information, hermitian=True) @ direction) ** 0.5
    return Gap(float(shift_db), float(error_db))


def _slope(z: np.ndarray) -> np.ndarray:
    """Of log Q(-z)."""
    return np.exp(-(z**2) / 2 - log_ndtr(z)) / (2 * np.pi) ** 0.5
