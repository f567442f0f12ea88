# SPDX-License-Identifier: Apache-2.0
"""What recipes run by `accelerate launch` share: options, and states from which they go on."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from accelerate import Accelerator

from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training.recipe import option as typed

MARK = "run.json"
"""Written last: a state without it was cut off."""


def add_arguments(
    parser: argparse.ArgumentParser,
    width: int,
    multipliers: tuple[int, ...],
    batch: int,
    every: int,
    state: Path,
) -> None:
    """Options that every such recipe has, with the defaults of one."""
    parser.add_argument("--data", required=True, help="labelled source, as cityscapes:DIR")
    parser.add_argument("--split", default="train", help="split of the data")
    parser.add_argument("--width", type=int, default=width, help="channels at full resolution")
    parser.add_argument(
        "--multipliers",
        type=int,
        nargs="+",
        default=list(multipliers),
        help="of the width, one a level",
    )
    parser.add_argument(
        "--size", type=int, nargs=2, default=list(WORK_SIZE), help="height and width of images"
    )
    parser.add_argument("--batch", type=int, default=batch, help="samples an update and a GPU")
    parser.add_argument("--precision", choices=("bf16", "no"), default="bf16", help="mixed or not")
    parser.add_argument("--workers", type=int, default=4, help="processes that read, a GPU")
    parser.add_argument("--every", type=int, default=every, help="updates between saved states")
    parser.add_argument("--state", type=Path, default=state)
    parser.add_argument("--resume", action="store_true", help="go on from the state saved last")
    parser.add_argument("--seed", type=int, default=0)


def newest_state(folder: Path) -> Path | None:
    """The complete state of the latest step in `folder`, none where there is none."""
    return max((mark.parent for mark in folder.glob(f"*/{MARK}")), default=None)


def save_state(accelerator: Accelerator, folder: Path, step: int, run: dict) -> None:
    """Write the state after `step` updates of the `run` so described; the ones before go."""
    state = folder / f"{step:08d}"
    accelerator.save_state(str(state))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (state / MARK).write_text(json.dumps(run))
        for mark in folder.glob(f"*/{MARK}"):
            if mark.parent != state:
                shutil.rmtree(mark.parent)


def check_state(folder: Path, run: dict, resume: bool, updates: int, option: str) -> None:
    """Raise SemcomError unless `run` can begin in `folder`, or go on there to `updates` updates,
    which `option` gives."""
    state = newest_state(folder)
    if not resume:
        if state is not None:
            raise SemcomError(
                f"'{folder}' holds a run at step {int(state.name)}: go on with it by --resume, "
                "or give another --state."
            )
        return
    if state is None:
        raise SemcomError(f"'{folder}' holds no state to resume: leave out --resume.")
    saved = json.loads((state / MARK).read_text())
    for name, value in run.items():
        if saved.get(name) != value:
            raise SemcomError(
                f"'{folder}' holds another run: its {name} is {saved.get(name)}, not {value}. "
                "Give the same options, or another --state."
            )
    if int(state.name) >= updates:
        raise SemcomError(
            f"The run in '{folder}' is at step {int(state.name)}: to go on give more {option}."
        )


def launch_line(name: str, args: argparse.Namespace, options: Iterable[str], processes: int) -> str:
    """`semcom train NAME` in `processes` processes, with those of `options` in `args`."""
    values = vars(args) | {"data": without_folder(args.data)}
    launch = f"accelerate launch --num_processes {processes} -m semcom_ros.cli train {name}"
    return " ".join((launch, *(typed(option, values[option]) for option in options)))


def without_folder(spec: str) -> str:
    """A source's `spec` without its folder."""
    kind, colon, where = spec.partition(":")
    if not colon:
        return "DIR"
    return spec if where.isdecimal() else f"{kind}:DIR"
