# SPDX-License-Identifier: Apache-2.0
"""How long a call takes, for the `semcom bench` commands."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from semcom_ros.parameter import Parameter

REPEATS = Parameter("repeats", 50, "timed calls", 1)


def add_arguments(parser: argparse.ArgumentParser, networks: bool = True) -> None:
    """Options that every benchmark has, and those of benchmarks of networks on frames."""
    if networks:
        parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the networks")
        parser.add_argument("--data", default="scenes:1", help="frames to work on")
    parser.add_argument("--repeats", type=int, default=REPEATS.default, help=REPEATS.text)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")


def add_codec_arguments(parser: argparse.ArgumentParser, payload_bytes: int, paper: str) -> None:
    """Options of benchmarks of a learned codec; paper: the help of `--paper`."""
    add_arguments(parser)
    parser.add_argument("--payload-bytes", type=int, default=payload_bytes)
    parser.add_argument("--paper", action=argparse.BooleanOptionalAction, default=True, help=paper)


def measure(call: Callable[[], object], repeats: int, warm_up: int = 5) -> dict[str, float]:
    """Milliseconds of wall time that `call` takes: {median, p99} of `repeats` after a warm-up.

    Raises SemcomError unless `repeats` is 1 or more.
    """
    REPEATS.check(repeats)
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return {"median": float(np.median(times)), "p99": float(np.percentile(times, 99))}


def report(figures: dict[str, dict[str, float]], path: Path | None, **context: object) -> None:
    """Print `figures` (name -> {median, p99} in ms) as a table and write them to `path`."""
    table = Table("step", "median ms", "p99 ms", title=str(context) if context else None)
    for name, times in figures.items():
        table.add_row(name, f"{times['median']:.2f}", f"{times['p99']:.2f}")
    Console().print(table)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**context, **figures}, indent=2) + "\n")
