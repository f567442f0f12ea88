# SPDX-License-Identifier: Apache-2.0
"""How far the link abstraction is from the exact chain, in dB at the same block error rate."""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from semcom_ros.channel.fading.propagation import DriveState, Gains, create_propagation
from semcom_ros.channel.parameters import resolve
from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.mcs import MCS_TABLE, Mcs, symbols_needed
from semcom_ros.channel.phy.sionna_phy import ExactLink
from semcom_ros.lab.evaluation.shared import show

TARGET_RATE = 0.1
"""Block error rate near which the two are compared."""
MOST_DB = 0.3
"""Offset beyond which the abstraction is not believed."""
SCHEMES = ("qpsk_1/2", "16qam_1/2", "64qam_2/3")
CHANNELS = ("awgn", "tdl_c")
SPEED_MPS = 120 / 3.6
_FRAME_S = 0.1


class Comparison(NamedTuple):
    """Block error rates at one mean SNR, exact and of the abstraction, over the same fades.

    offset_db: SNR at which the abstraction loses as many blocks as the exact chain does, minus the
    SNR that both were run at: positive where the abstraction is too harsh. error_db: its standard
    error, from the draws of the noise.
    """

    snr_db: float
    exact: float
    abstracted: float
    offset_db: float
    error_db: float

    @property
    def agrees(self) -> bool:
        """Whether the offset is at most `MOST_DB`."""
        return abs(self.offset_db) <= MOST_DB


def compare(channel: str, mcs: Mcs, n_bytes: int, frames: int, seed: int) -> Comparison:
    """Run both on `frames` parts of `n_bytes` over `channel`, at the SNR of a rate of 0.1.

    The abstraction tells that SNR. The fades of a drive are drawn once, 0.1 s apart.
    """
    propagation = create_propagation(resolve({"channel": channel}), seed)
    n = symbols_needed(n_bytes, mcs)
    states = [DriveState(i, SPEED_MPS * _FRAME_S * i, SPEED_MPS) for i in range(frames)]
    fades = [propagation.gains(n, state) for state in states]
    rng = np.random.default_rng([seed, 1])

    def lost(snr_db: float) -> np.ndarray:
        return np.array([_rate(fade, snr_db, mcs, n_bytes, rng) for fade in fades])

    def snr_db_at(rate: float) -> float:
        return brentq(lambda snr_db: lost(snr_db).mean() - rate, -20.0, 50.0, xtol=0.005)

    snr_db = snr_db_at(TARGET_RATE)
    link = ExactLink()
    exact = np.mean(
        [
            link.transmit(rng.bytes(n_bytes), mcs, fade.gains, _variance(fade, snr_db), rng) is None
            for fade in fades
        ]
    )
    rates = lost(snr_db)
    slope = (lost(snr_db + 0.1).mean() - lost(snr_db - 0.1).mean()) / 0.2
    error_db = np.sqrt(np.sum(rates * (1 - rates))) / frames / abs(slope)
    # One block more or less than none or all still has an SNR.
    within = float(np.clip(exact, 1 / frames, 1 - 1 / frames))
    return Comparison(
        snr_db, float(exact), float(rates.mean()), snr_db_at(within) - snr_db, float(error_db)
    )


def _variance(fade: Gains, snr_db: float) -> float:
    return 10 ** (-snr_db / 10) + fade.interference


def _rate(fade: Gains, snr_db: float, mcs: Mcs, n_bytes: int, rng: np.random.Generator) -> float:
    sinr = np.abs(fade.gains) ** 2 / _variance(fade, snr_db)
    return block_errors.transmit(n_bytes, mcs, sinr, rng)[1]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the comparison."""
    parser.add_argument("--bytes", type=int, default=512, help="length of a part")
    parser.add_argument("--frames", type=int, default=1000, help="parts sent over each channel")
    parser.add_argument("--seed", type=int, default=0, help="of fades, data and noise")


def run(args: argparse.Namespace) -> int:
    """Print the offsets of three schemes over white noise and TDL-C; 1 where one is too large."""
    rows, worst = [], False
    for channel in CHANNELS:
        for mcs in (mcs for mcs in MCS_TABLE if mcs.name in SCHEMES):
            f = compare(channel, mcs, args.bytes, args.frames, args.seed)
            worst |= not f.agrees
            rates = (f"{f.exact:.3f}", f"{f.abstracted:.3f}")
            offset = (f"{f.offset_db:+.2f}", f"{f.error_db:.2f}")
            rows.append((channel, mcs.name, f"{f.snr_db:.2f}", *rates, *offset))
    columns = ("channel", "scheme", "SNR dB", "exact", "abstraction", "offset dB", "error dB")
    show(None, columns, rows)
    return int(worst)
