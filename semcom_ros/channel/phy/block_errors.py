# SPDX-License-Identifier: Apache-2.0
"""Whether a part of bits arrives, from the SINR of its symbols, without coding and decoding it.

Mutual-information effective SNR mapping (Brueninghaus et al., "Link performance models for system
level simulations of broadband radio access systems", PIMRC 2005): the symbols of a block count as
one SNR, at which white noise would let as much information through; the block is lost as often as
blocks are over white noise of that SNR.

How often that is says the table that `semcom channel table` makes. Of each scheme and block length
it holds a threshold, at which half of the blocks are lost, and a width, both in dB: the rate is
Q((SNR - threshold) / width), Q the tail of the normal distribution. That is the form that coding at
finite length has (Polyanskiy, Poor and Verdu 2010, eq. 1) with the capacity taken as straight
across a waterfall of about a decibel; the points it was fitted to are in the table too. Between
block lengths both are straight in the log of the length.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from semcom_ros.channel.phy.mcs import Mcs, split_into_blocks
from semcom_ros.channel.phy.modulation import mutual_information, snr_of_information
from semcom_ros.errors import SemcomError

TABLE_PATH = Path(__file__).with_name("block_errors.json")
FLOOR = 1e-6
"""Least rate that is given: nobody measured so far down."""


def error_rate(scheme: str, block_bits: int, snr_db: float) -> float:
    """Share 0..1 of lost blocks of `block_bits`, CRC included, at E|x|^2 / E|n|^2 in dB."""
    threshold, width = _curve(scheme, block_bits)
    return max(FLOOR, 0.5 * math.erfc((snr_db - threshold) / (width * math.sqrt(2))))


def snr_db_for(scheme: str, block_bits: int, rate: float) -> float:
    """The SNR in dB at which the share `rate` (0 < rate < 1) of the blocks is lost."""
    threshold, width = _curve(scheme, block_bits)
    return threshold - width * NormalDist().inv_cdf(max(FLOOR, rate))


def _curve(scheme: str, block_bits: int) -> tuple[float, float]:
    """Threshold and width in dB; beyond the table's lengths those of the nearest."""
    lengths, thresholds, widths = _curves()[scheme]
    length = math.log(block_bits)
    return float(np.interp(length, lengths, thresholds)), float(np.interp(length, lengths, widths))


@cache
def _curves() -> dict[str, np.ndarray]:
    """By scheme float [3, lengths]: log of the block's bits, threshold and width in dB."""
    curves: dict[str, list[tuple[float, float, float]]] = {}
    for row in json.loads(TABLE_PATH.read_text())["curves"]:
        values = (math.log(row["block_bits"]), row["threshold_db"], row["width_db"])
        curves.setdefault(row["mcs"], []).append(values)
    return {scheme: np.array(sorted(rows)).T for scheme, rows in curves.items()}


def effective_snr_db(sinr: np.ndarray, modulation: str) -> float:
    """The SNR in dB of white noise that lets as much through as `sinr`, linear [n], does.

    At most that at which `modulation` loses nothing any more: 16 dB for QPSK, 29 for 64-QAM.
    """
    mean = np.mean(mutual_information(modulation, sinr))
    return float(10 * np.log10(snr_of_information(modulation, mean)))


def block_error_rate(mcs: Mcs, n_bytes: int, snr_db: float) -> float:
    """Probability 0..1 that a part of `n_bytes` is lost over white noise of `snr_db`.

    A part of several blocks is lost with any of them.
    """
    bits, lengths = split_into_blocks(n_bytes, mcs)
    return 1 - (1 - error_rate(mcs.name, bits, snr_db)) ** len(lengths)


def transmit(
    n_bytes: int, mcs: Mcs, sinr: np.ndarray, rng: np.random.Generator
) -> tuple[bool, float]:
    """Whether a part of `n_bytes` arrives, and the probability 0..1 that it does not.

    sinr: linear, of each symbol in the order of sending [symbols_needed(n_bytes, mcs)]. Raises
    SemcomError on another number of them.
    """
    bits, lengths = split_into_blocks(n_bytes, mcs)
    if len(sinr) != sum(lengths):
        raise SemcomError(
            f"{n_bytes} bytes with {mcs.name} take {sum(lengths)} symbols: "
            f"give the SINR of as many, not {len(sinr)}."
        )
    whole = 1.0
    for block in np.split(sinr, np.cumsum(lengths)[:-1]):
        snr_db = effective_snr_db(block, mcs.modulation)
        whole *= 1 - error_rate(mcs.name, bits, snr_db)
    return bool(rng.random() < whole), 1 - whole
