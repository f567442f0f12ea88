# SPDX-License-Identifier: Apache-2.0
"""What the commands that measure have in common: options, tables, files, plots."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import frames_with_truth

NOTHING = "–"


def device_option(parser: argparse.ArgumentParser) -> None:
    """Add `--device`; the command line checks it."""
    parser.add_argument("--device", default="cpu", help="that networks run on, as cuda")


def frames_options(parser: argparse.ArgumentParser, data: str = "scenes:1") -> None:
    """Add the options that name labelled frames, by default of `data`, and `--device`."""
    about = "labelled frames, as camvid:DIR or scenes:1"
    parser.add_argument("--data", default=data, help=about)
    parser.add_argument("--split", default="val", help="of data that has splits")
    parser.add_argument("--frames", type=int, default=100, help="at most so many")
    device_option(parser)


def labelled_frames(args: argparse.Namespace) -> list[Frame]:
    """The frames that the options name, fitted, with labels; raises SemcomError."""
    return frames_with_truth(args.data, args.split, range(args.frames), exact=False)


def show(
    title: str | None,
    columns: Iterable[Column | str],
    rows: Iterable[Sequence[str] | None],
    *notes: str,
) -> None:
    """Print a table, None among its rows drawn as a line, and sentences about it."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_section() if row is None else table.add_row(*row)
    console = Console()
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True)


def number(value: float | None, form: str = ".3f") -> str:
    """`value` as `form` says, or a dash for None and NaN."""
    return NOTHING if value is None or value != value else format(value, form)


def write_json(path: Path, found: Any) -> None:
    """Write `found` for people and programs to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")


def pyplot() -> ModuleType:
    """Pyplot, drawing without a screen. Raises SemcomError where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise SemcomError(
            "Plots need matplotlib, which is not installed: pip install matplotlib."
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def save(figure: Any, path: Path) -> None:
    """Write and close a figure; the same drawing gives the same file."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot().close(figure)
