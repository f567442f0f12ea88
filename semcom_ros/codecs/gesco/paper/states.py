# SPDX-License-Identifier: Apache-2.0
"""States of a run on disk, from which it goes on after a stop."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from accelerate import Accelerator

from semcom_ros.errors import SemcomError

MARK = "run.json"
"""Written last: a state without it was cut off."""


def newest(folder: Path) -> Path | None:
    """The complete state of the latest step in `folder`, none where there is none."""
    return max((mark.parent for mark in folder.glob(f"*/{MARK}")), default=None)


def save(accelerator: Accelerator, folder: Path, step: int, run: dict) -> None:
    """Write the state after `step` updates of the `run` so described; the ones before go."""
    state = folder / f"{step:08d}"
    accelerator.save_state(str(state))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (state / MARK).write_text(json.dumps(run))
        for mark in folder.glob(f"*/{MARK}"):
            if mark.parent != state:
                shutil.rmtree(mark.parent)


def check(folder: Path, run: dict, steps: int, resume: bool) -> None:
    """Raise SemcomError unless `run` can begin in `folder`, or go on there to `steps` updates."""
    state = newest(folder)
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
    if int(state.name) >= steps:
        raise SemcomError(
            f"The run in '{folder}' is at step {int(state.name)}: to go on give more --steps."
        )
