# SPDX-License-Identifier: Apache-2.0
"""Recipes of the papers' networks: `accelerate launch` runs them on any number of GPUs."""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import Accelerator

from semcom_ros.datasets import Source, open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.papers.draws import Draws
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.recipe import Log, check_run, option
from semcom_ros.label_spaces import SPACES
from semcom_ros.layers.unet import UNetSizes

MARK = "run.json"
"""Written last: a state without it was cut off."""


class PaperTraining(Training):
    """One of them; a subclass has `begin`, `update`, and `save(step)` of weights and card.

    sizes, draws: the classes of the networks' sizes and of their batches. batch, save_every, steps,
    out: defaults of options. spaces: names of those that maps may be in, the usual first.
    run_options: those that make a run what it is; others may change when it goes on. handlers: what
    the accelerator is told besides.
    """

    sizes: ClassVar[Callable[..., UNetSizes]]
    draws: ClassVar[Callable[..., Draws]]
    save_every: ClassVar[int]
    spaces: ClassVar[tuple[str, ...]] = UNetSizes.spaces
    run_options: ClassVar[tuple[str, ...]] = (
        "data", "split", "space", "width", "multipliers", "size", "batch", "seed",
    )  # fmt: skip
    handlers: ClassVar[tuple[Any, ...]] = ()
    state_seconds = math.inf

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        add, run = parser.add_argument, f"out/train/{cls.name}"
        add("--data", required=True, help="labelled source, as cityscapes:DIR")
        add("--split", default="train", help="split of the data")
        space = "label space of the maps"
        add("--space", choices=cls.spaces, default=cls.spaces[0], help=space)
        cls.size_options(parser)
        size = "height and width of images"
        add("--size", type=int, nargs=2, default=list(WORK_SIZE), help=size)
        add("--batch", type=int, default=cls.batch, help="samples an update and a GPU")
        add("--steps", type=int, default=cls.steps, help="updates in all")
        add("--precision", choices=("bf16", "no"), default="bf16", help="mixed or not")
        add("--workers", type=int, default=4, help="processes that read, a GPU")
        add("--every", type=int, default=cls.save_every, help="updates between saved states")
        add("--state", type=Path, default=Path(run), help="folder of states")
        add("--out", type=Path, default=cls.out)
        add("--log", type=Path, default=Path(f"{run}.jsonl"))
        add("--resume", action="store_true", help="go on from the state saved last")
        add("--seed", type=int, default=0)
        cls.options(parser)
        parser.set_defaults(minutes=None, compile=False)

    @classmethod
    def size_options(cls, parser: argparse.ArgumentParser) -> None:
        """Those of the networks' sizes."""
        paper, add = cls.sizes(), parser.add_argument
        several = {"type": int, "nargs": "+", "default": list(paper.multipliers)}
        add("--width", type=int, default=paper.width, help="channels at full resolution")
        add("--multipliers", **several, help="of the width, one a level")

    def configured(self) -> Any:
        """The networks' sizes. Raises SemcomError where they, or the size of images, do not fit."""
        sizes = self.sizes(width=self.args.width, multipliers=tuple(self.args.multipliers))
        sizes.check_size(tuple(self.args.size))
        return sizes

    def check(self) -> None:
        """Raises SemcomError for sizes that do not fit the network, data without labels and a state
        of another run."""
        args = self.args
        if min(args.steps, args.batch, args.every) < 1:
            raise SemcomError("Updates, samples and the updates between states start at 1: more.")
        self.space = SPACES[args.space]
        self.configuration = self.configured()
        self.begun = check_state(self.states, self.named(), args.resume, args.steps)
        source = open_source(args.data, args.split, space=self.space)
        self.batches = self.drawn(source)
        self.accelerator = Accelerator(
            mixed_precision=args.precision, kwargs_handlers=list(self.handlers)
        )
        self.device, self.every = self.accelerator.device, args.every
        self.share = self.accelerator.process_index, self.accelerator.num_processes

    def drawn(self, source: Source) -> Draws:
        """The batches of the run."""
        return self.draws(source, tuple(self.args.size), self.args.seed, self.args.batch)

    @property
    def states(self) -> Path:
        """The folder of the run's states, each called by its step."""
        return self.args.state

    def named(self) -> dict[str, Any]:
        return {name: getattr(self.args, name) for name in self.run_options}

    def over_processes(self, sums: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.accelerator.reduce(sums, "mean")

    def score(self) -> dict[str, float]:
        """Nothing chooses: the last are kept."""
        return {}

    def keep(self, step: int, scores: dict[str, float]) -> None:
        if self.accelerator.is_main_process:
            self.save(step)

    def save_state(self, step: int, log: Log) -> None:
        """Write the state; the ones before go."""
        state = self.states / f"{step:08d}"
        self.accelerator.save_state(str(state))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (state / MARK).write_text(json.dumps(self.named()))
            for mark in self.states.glob(f"*/{MARK}"):
                if mark.parent != state:
                    shutil.rmtree(mark.parent)

    def load_state(self) -> tuple[int, None]:
        self.accelerator.load_state(str(self.begun))
        return int(self.begun.name), None

    @property
    def frames(self) -> str:
        count = len(self.batches.source)
        return f"{without_folder(self.args.data)}, split {self.args.split}, {count} frames"

    def described(self, **more: Any) -> dict[str, Any]:
        """A card with what `load_network` reads, and the launch that made the weights."""
        own = {"classes": list(self.space.names), "network": asdict(self.configuration)}
        values = vars(self.args) | {"data": without_folder(self.args.data)}
        launch = f"accelerate launch --num_processes {self.share[1]} -m semcom_ros.cli train"
        typed = (option(name, values[name]) for name in (*self.run_options, "steps", "precision"))
        recipe = " ".join((launch, self.name, *typed))
        return super().described(**own, size=list(self.args.size), recipe=recipe, **more)


def without_folder(spec: str) -> str:
    """A source's `spec` without its folder."""
    kind, colon, where = spec.partition(":")
    if not colon:
        return "DIR"
    return spec if where.isdecimal() else f"{kind}:DIR"


def check_state(folder: Path, run: dict[str, Any], resume: bool, steps: int) -> Path | None:
    """The state that `run` goes on from in `folder` to `steps` updates, none where it begins.

    Raises SemcomError where it can do neither.
    """
    # Of the latest step, and complete.
    state = max((mark.parent for mark in folder.glob(f"*/{MARK}")), default=None)
    if not resume:
        if state is not None:
            raise SemcomError(
                f"'{folder}' holds a run at step {int(state.name)}: go on with it by --resume, "
                "or give another --state."
            )
        return None
    if state is None:
        raise SemcomError(f"'{folder}' holds no state to resume: leave out --resume.")
    check_run(json.loads((state / MARK).read_text()), run, folder, "give another --state")
    if int(state.name) >= steps:
        raise SemcomError(
            f"The run in '{folder}' is at step {int(state.name)}: to go on give more --steps."
        )
    return state
