# SPDX-License-Identifier: Apache-2.0
"""The command line that makes a set of weights again, for its card, without folders."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from semcom_ros import weights


def command_line(name: str, args: argparse.Namespace) -> str:
    """`semcom train NAME` with every option in `args` that is set but the folders and files, which
    differ by machine; of `start` the card says more (`origin`)."""
    files = ("--start FILE",) if getattr(args, "start", None) else ()
    told = {k: v for k, v in vars(args).items() if v is not None and not isinstance(v, Path)}
    return " ".join(
        (f"semcom train {name} --camvid DIR", *(_option(k, v) for k, v in told.items()), *files)
    )


def origin(start: Path | None, name: str) -> dict[str, Any]:
    """For a card of `semcom train NAME`: what made the weights `start` that it goes on from."""
    if start is None:
        return {}
    card = weights.read_card(start, f"semcom train {name}")
    told = ("recipe", "sha256", "commit", "start")
    return {"start": {name: card[name] for name in told if name in card}}


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
