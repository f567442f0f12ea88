# SPDX-License-Identifier: Apache-2.0
"""The state of a training step on disk, from which it goes on after a stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.loop import MixedPrecision
from semcom_ros.lab.training.sqgan.learning import Learning


def save(path: Path, learning: Learning, run: dict[str, Any]) -> None:
    """Write the state of the `run` so described, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        name: {
            "masters": [master.detach() for _, master in trainer.pairs],
            "optimizer": trainer.optimizer.state_dict(),
            "average": trainer.average.state_dict(),
            "buffers": list(trainer.network.buffers()),
            "steps": trainer.steps,
        }
        for name, trainer in _trainers(learning)
    }
    begun = path.with_suffix(".part")
    torch.save({"run": json.dumps(run), **kept}, begun)
    begun.replace(path)


def load(path: Path, learning: Learning, run: dict[str, Any]) -> int:
    """Bring `learning` to the state in `path`; returns the updates done.

    Raises SemcomError where there is none, or it is of another run.
    """
    if not path.is_file():
        raise SemcomError(f"There is no state '{path}' to resume: leave out --resume.")
    state = torch.load(path, weights_only=True)
    for name, value in json.loads(state["run"]).items():
        if run.get(name) != value:
            raise SemcomError(
                f"'{path}' holds another run: its {name} is {value}, not {run.get(name)}. "
                "Give the same options, or leave out --resume."
            )
    for name, trainer in _trainers(learning):
        _restore(trainer, state[name])
        trainer.optimizer.load_state_dict(state[name]["optimizer"])
        trainer.average.load_state_dict(state[name]["average"])
        trainer.steps = state[name]["steps"]
    return learning.trainer.steps


def load_discriminator(path: Path, learning: Learning) -> None:
    """Let `learning` begin with the discriminator in the state `path`, which another step left.

    A discriminator that knows nothing yet would let go of what the one before it had taught. Raises
    SemcomError where there is no such file.
    """
    if not path.is_file():
        raise SemcomError(
            f"There is no state '{path}', whose discriminator the tuning goes on with: train with "
            "`--step image` first, and keep the state beside its weights."
        )
    _restore(learning.discriminator, torch.load(path, weights_only=True)["discriminator"])


def _restore(trainer: MixedPrecision, kept: dict[str, Any]) -> None:
    """Bring weights and buffers to what was kept."""
    masters = [master for _, master in trainer.pairs]
    with torch.no_grad():
        torch._foreach_copy_(masters, kept["masters"])
        torch._foreach_copy_([used for used, _ in trainer.pairs], masters)
        for buffer, saved in zip(trainer.network.buffers(), kept["buffers"], strict=True):
            buffer.copy_(saved)


def _trainers(learning: Learning) -> tuple:
    return ("pipeline", learning.trainer), ("discriminator", learning.discriminator)
