# SPDX-License-Identifier: Apache-2.0
"""The command line that makes a set of weights again, for its card, without folders."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def command_line(name: str, args: argparse.Namespace) -> str:
    """`semcom train NAME` with every option in `args` but the folders, which differ by machine."""
    given = (_option(k, v) for k, v in vars(args).items() if not isinstance(v, Path))
    return " ".join((f"semcom train {name} --camvid DIR", *given))


def launch_line(name: str, args: argparse.Namespace, options: Iterable[str], processes: int) -> str:
    """`semcom train NAME` in `processes` processes, with those of `options` in `args`."""
    values = vars(args) | {"data": without_folder(args.data)}
    launch = f"accelerate launch --num_processes {processes} -m semcom_ros.cli train {name}"
    return " ".join((launch, *(_option(option, values[option]) for option in options)))


def without_folder(spec: str) -> str:
    """A source's `spec` without its folder."""
    kind, colon, where = spec.partition(":")
    if not colon:
        return "DIR"
    return spec if where.isdecimal() else f"{kind}:DIR"


def _option(name: str, value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"--{name.replace('_', '-')} {text}"
