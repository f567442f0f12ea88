# SPDX-License-Identifier: Apache-2.0
"""`semcom channel check`: the emulated radio against theory, one line a figure."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
from rich.console import Console
from rich.table import Table

from semcom_ros.channel import Channel
from semcom_ros.lab.evaluation import check_ofdm, check_symbols
from semcom_ros.lab.evaluation.figure import Figure, within
from semcom_ros.lab.evaluation.probe import digital
from semcom_ros.parameter import Parameter

SEED = Parameter("seed", 0, "of data, fades and noise", 0)
_PACKETS = 100_000


def figures(seed: int = SEED.default) -> Iterator[Figure]:
    """Everything that is checked; the LDPC code only where Sionna is installed."""
    yield from check_symbols.uncoded(seed)
    yield from check_symbols.levels(seed)
    yield from check_symbols.mean_power(seed)
    yield from check_symbols.autocorrelation(seed)
    yield from check_symbols.shadowing(seed)
    yield from check_symbols.map_noises(seed)
    yield from check_ofdm.ofdm(seed)
    if find_spec("sionna"):
        from semcom_ros.lab.evaluation import check_ldpc

        yield from check_ldpc.coded(seed)
    yield from packets(seed)


def packets(seed: int) -> Iterator[Figure]:
    """Mean loss and mean burst of Gilbert and Elliott's chain within 5 %, over 1e5 packets."""
    loss, burst = 0.3, 8.0
    channel = Channel(seed, loss=loss, burst=burst)
    lost = [channel.transmit(digital(b"", i)).parts[0].erased for i in range(_PACKETS)]
    bursts = [len(list(run)) for is_lost, run in itertools.groupby(lost) if is_lost]
    yield within(0.05 * loss, f"packets lost at loss {loss:g}", np.mean(lost), loss)
    yield within(0.05 * burst, f"packets in a row at burst {burst:g}", np.mean(bursts), burst)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom channel check`."""
    parser.add_argument("--seed", type=int, default=SEED.default, help=SEED.text)


def run(args: argparse.Namespace) -> int:
    """Print the table; 1 where a figure is out of its bounds. Raises SemcomError."""
    found = list(figures(SEED.check(args.seed)))
    table = Table("figure", "measured", "wanted", "least", "most", "")
    for f in found:
        verdict = "" if f.holds else "OUT OF BOUNDS"
        table.add_row(f.what, *(f"{value:.4g}" for value in f[1:]), verdict)
    console = Console()
    console.print(table)
    broken = sum(not f.holds for f in found)
    console.print(f"{len(found) - broken} of {len(found)} figures within their bounds.")
    if not find_spec("sionna"):
        console.print("The LDPC code was not checked: Sionna is not installed.")
    return int(broken > 0)
