# SPDX-License-Identifier: Apache-2.0
"""Block error rates over white noise, from the table that `semcom channel table` makes.

Of each scheme and block length the table holds a threshold, at which half of the blocks are lost,
and a width, both in dB: the rate is Q((SNR - threshold) / width), Q the tail of the normal
distribution. That is the form that coding at finite length has (Polyanskiy, Poor and Verdu 2010,
eq. 1) with the capacity taken as straight across a waterfall of about a decibel; the points it was
fitted to are in the table too. Between block lengths both are straight in the log of the length.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

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
