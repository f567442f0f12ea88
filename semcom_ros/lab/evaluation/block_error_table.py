# SPDX-License-Identifier: Apache-2.0
"""`semcom channel table`: measure block error rates over white noise with the exact chain."""

from __future__ import annotations

import argparse
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from semcom_ros.channel.phy.block_errors import TABLE_PATH
from semcom_ros.channel.phy.ldpc_decoder import ITERATIONS, NORMALISATION
from semcom_ros.channel.phy.mcs import MCS_TABLE, Mcs, split_into_blocks, symbols_needed
from semcom_ros.channel.phy.modulation import snr_of_information
from semcom_ros.channel.phy.sionna_phy import ExactLink
from semcom_ros.errors import SemcomError

PART_BYTES = (8, 32, 128, 475, 480, 1050)
"""Lengths that are measured. Between 475 and 480 bytes the base graph of most schemes changes; 1050
are about the longest single block."""
RATES = (0.9, 0.5, 0.1, 0.03, 0.01, 0.003)
"""Block error rates near which the chain is run."""
_PILOT_BLOCKS, _ROUGH_WIDTH_DB = 20, 0.3


class Point(NamedTuple):
    """Blocks sent and lost at one SNR."""

    snr_db: float
    blocks: int
    lost: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom channel table`."""
    parser.add_argument("--blocks", type=int, default=300, help="sent at each SNR")
    parser.add_argument("--seed", type=int, default=0, help="of data and noise")
    parser.add_argument("--date", help="kept with the table as when it was made")
    names, one = [mcs.name for mcs in MCS_TABLE], "measure this scheme alone: the others stay"
    parser.add_argument("--mcs", choices=names, metavar="NAME", help=one)
    parser.add_argument("--out", type=Path, default=TABLE_PATH, help="file to write")


def run(args: argparse.Namespace) -> None:
    """Measure every scheme at every length and write the table; raises SemcomError."""
    if args.blocks < 1 or args.seed < 0:
        raise SemcomError("Give --blocks of 1 or more and a --seed of 0 or more.")
    link, rng = ExactLink(), np.random.default_rng(args.seed)
    kept = json.loads(args.out.read_text()) if args.mcs else {"curves": [], "provenance": {}}
    curves = ["    " + json.dumps(curve) for curve in kept["curves"] if curve["mcs"] != args.mcs]
    for mcs in (mcs for mcs in MCS_TABLE if args.mcs in (None, mcs.name)):
        for n_bytes in PART_BYTES:
            points = measure(link, mcs, n_bytes, args.blocks, rng)
            threshold, width = fit(points)
            curve = {
                "mcs": mcs.name,
                "block_bits": split_into_blocks(n_bytes, mcs)[0],
                "threshold_db": round(threshold, 4),
                "width_db": round(width, 4),
                "points": points,
            }
            curves.append("    " + json.dumps(curve))
            print(f"{mcs.name:9} {n_bytes:5} bytes: half lost at {threshold:6.2f} dB", flush=True)
    told = _provenance(args)
    told = kept["provenance"] | {args.mcs: told["command"]} if args.mcs else told
    about = json.dumps(told, indent=2).replace("\n", "\n  ")
    rows = ",\n".join(curves)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(f'{{\n  "provenance": {about},\n  "curves": [\n{rows}\n  ]\n}}\n')


def measure(
    link: ExactLink, mcs: Mcs, n_bytes: int, blocks: int, rng: np.random.Generator
) -> list[Point]:
    """Blocks of `n_bytes` lost around the waterfall of `mcs`, in the order of SNR.

    A few blocks find the SNR at which half are lost, a few more the width of the waterfall.
    """
    low = 10 * np.log10(snr_of_information(mcs.modulation, mcs.code_rate)) - 1.0
    high = low + 7.0
    while high - low > 0.2:
        middle = (low + high) / 2
        lost = send(link, mcs, n_bytes, middle, _PILOT_BLOCKS, rng).lost
        low, high = (middle, high) if lost > _PILOT_BLOCKS / 2 else (low, middle)
    steps = np.arange(-2, 3) * _ROUGH_WIDTH_DB / 2
    pilots = [send(link, mcs, n_bytes, low + step, 2 * _PILOT_BLOCKS, rng) for step in steps]
    threshold, width = fit(pilots)
    return [send(link, mcs, n_bytes, threshold + width * norm.isf(rate), blocks, rng)
            for rate in RATES]  # fmt: skip


def send(
    link: ExactLink, mcs: Mcs, n_bytes: int, snr_db: float, blocks: int, rng: np.random.Generator
) -> Point:
    """Send `blocks` parts of random bytes over white noise."""
    gains = np.ones(symbols_needed(n_bytes, mcs), np.complex64)
    variance = 10 ** (-snr_db / 10)
    arrived = [link.transmit(rng.bytes(n_bytes), mcs, gains, variance, rng) for _ in range(blocks)]
    return Point(round(float(snr_db), 4), blocks, arrived.count(None))


def fit(points: list[Point]) -> tuple[float, float]:
    """Threshold and width in dB of Q((SNR - threshold) / width), of the greatest likelihood."""
    snr_db, blocks, lost = (np.array(values, float) for values in zip(*points, strict=True))

    def cost(x: np.ndarray) -> float:
        z = (snr_db - x[0]) / np.exp(x[1])
        return -np.sum(lost * norm.logsf(z) + (blocks - lost) * norm.logcdf(z))

    start = np.array([np.interp(0.5, -lost / blocks + 1, snr_db), np.log(_ROUGH_WIDTH_DB)])
    found = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-3}).x
    return float(found[0]), float(np.exp(found[1]))


def _provenance(args: argparse.Namespace) -> dict[str, Any]:
    about = {
        "command": f"semcom channel table --blocks {args.blocks} --seed {args.seed}"
        + (f" --mcs {args.mcs}" if args.mcs else ""),
        "chain": "CRC-24A, 5G LDPC code, rate matching and interleaver, Gray QAM, white noise, "
        "exact log-likelihood ratios, SNR = E|x|^2 / E|n|^2 of a complex symbol",
        "decoder": f"layered normalised min-sum, factor {NORMALISATION}, "
        f"at most {ITERATIONS} iterations",
        "points": "SNR in dB, blocks sent, blocks lost",
        "versions": {name: version(name) for name in ("sionna-no-rt", "torch", "numpy", "numba")},
        "blocks": args.blocks,
        "seed": args.seed,
    }
    return {**about, "date": args.date} if args.date else about
