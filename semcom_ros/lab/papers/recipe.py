# SPDX-License-Identifier: Apache-2.0
"""Recipes of the papers' networks: `accelerate launch` runs them on any number of GPUs."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import Accelerator
from torch.utils.data import DataLoader

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.papers.draws import Draws
from semcom_ros.lab.training.loop import moved, without_opencv_threads
from semcom_ros.lab.training.recipe import Log, Recipe, check_run, option
from semcom_ros.labels import NAMES
from semcom_ros.layers.unet import UNetSizes

LOG_EVERY = 50
"""Updates that one line of the log is the mean of."""
MARK = "run.json"
"""Written last: a state without it was cut off."""


class PaperTraining(Recipe):
    """One of them; a subclass declares networks, update and card.

    sizes, draws: the classes of the networks' sizes and of their batches. batch, every, steps, out:
    defaults of options. named: options that make a run what it is; others may change when it goes
    on.
    """

    sizes: ClassVar[Callable[..., UNetSizes]]
    draws: ClassVar[Callable[..., Draws]]
    batch: ClassVar[int]
    every: ClassVar[int]
    steps: ClassVar[int]
    out: ClassVar[Path]
    named: ClassVar[tuple[str, ...]] = (
        "data", "split", "width", "multipliers", "size", "batch", "seed",
    )  # fmt: skip
    handlers: ClassVar[list[Any]] = []

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        paper, add, run = cls.sizes(), parser.add_argument, f"out/train/{cls.name}"
        add("--data", required=True, help="labelled source, as cityscapes:DIR")
        add("--split", default="train", help="split of the data")
        add("--width", type=int, default=paper.width, help="channels at full resolution")
        several = {"type": int, "nargs": "+", "default": list(paper.multipliers)}
        add("--multipliers", **several, help="of the width, one a level")
        size = "height and width of images"
        add("--size", type=int, nargs=2, default=list(WORK_SIZE), help=size)
        add("--batch", type=int, default=cls.batch, help="samples an update and a GPU")
        add("--steps", type=int, default=cls.steps, help="updates in all")
        add("--precision", choices=("bf16", "no"), default="bf16", help="mixed or not")
        add("--workers", type=int, default=4, help="processes that read, a GPU")
        add("--every", type=int, default=cls.every, help="updates between saved states")
        add("--state", type=Path, default=Path(run), help="folder of states")
        add("--out", type=Path, default=cls.out)
        add("--log", type=Path, default=Path(f"{run}.jsonl"))
        add("--resume", action="store_true", help="go on from the state saved last")
        add("--seed", type=int, default=0)
        cls.options(parser)

    def __init__(self, args: argparse.Namespace):
        """Raises SemcomError for sizes that do not fit the network, data without labels and a state
        of another run."""
        super().__init__(args)
        if min(args.steps, args.batch, args.every) < 1:
            raise SemcomError("Updates, samples and the updates between states start at 1: more.")
        self.configuration = self.sizes(width=args.width, multipliers=tuple(args.multipliers))
        self.configuration.check_size(tuple(args.size))
        self.named_run = {name: getattr(args, name) for name in self.named}
        self.begun = check_state(self.state, self.named_run, args.resume, args.steps)
        source = open_source(args.data, args.split)
        self.frames = len(source)
        self.batches = self.draws(source, tuple(args.size), args.seed, args.batch)
        self.accelerator = Accelerator(
            mixed_precision=args.precision, kwargs_handlers=self.handlers
        )
        torch.manual_seed(args.seed)
        self.begin()

    @property
    def state(self) -> Path:
        """The folder of the run's states."""
        return self.args.state

    def begin(self) -> None:
        """Build the networks and let the accelerator prepare them."""
        raise NotImplementedError

    def update(self, draw: Any, step: int) -> dict[str, torch.Tensor]:
        """Update number `step` on a batch, on the device; returns losses by name."""
        raise NotImplementedError

    def save(self, step: int) -> None:
        """Write weights and card after `step` updates."""
        raise NotImplementedError

    def make(self) -> None:
        args, accelerator = self.args, self.accelerator
        done = 0
        if self.begun is not None:
            accelerator.load_state(str(self.begun))
            done = int(self.begun.name)
        processes, main = accelerator.num_processes, accelerator.is_main_process
        log = Log(args.log if main else None, done)
        loader = DataLoader(
            self.batches,
            batch_size=None,
            sampler=range(
                done * processes + accelerator.process_index, args.steps * processes, processes
            ),
            num_workers=args.workers,
            pin_memory=accelerator.device.type == "cuda",
            worker_init_fn=without_opencv_threads,
            generator=torch.Generator(),
        )
        for step, draw in enumerate(loader, done + 1):
            draw = moved(draw, accelerator.device)
            log.add(self.update(draw, step))
            last = step == args.steps
            if step % LOG_EVERY == 0 or last:
                log.sums = accelerator.reduce(log.sums, "mean")
                log.write(step, {})
            if step % args.every == 0 or last:
                save_state(accelerator, self.state, step, self.named_run)
                if main:
                    self.save(step)
        accelerator.end_training()

    def described(self, **more: Any) -> dict[str, Any]:
        """A card with what `load_network` reads, and the launch that made the weights."""
        own = {"classes": list(NAMES), "network": asdict(self.configuration)}
        values = vars(self.args) | {"data": without_folder(self.args.data)}
        launch = f"accelerate launch --num_processes {self.accelerator.num_processes}"
        typed = [option(name, values[name]) for name in (*self.named, "steps", "precision")]
        recipe = " ".join((f"{launch} -m semcom_ros.cli train {self.name}", *typed))
        return super().described(**own, size=list(self.args.size), **more) | {"recipe": recipe}


def without_folder(spec: str) -> str:
    """A source's `spec` without its folder."""
    kind, colon, where = spec.partition(":")
    if not colon:
        return "DIR"
    return spec if where.isdecimal() else f"{kind}:DIR"


def newest_state(folder: Path) -> Path | None:
    """The complete state of the latest step in `folder`, none where there is none."""
    return max((mark.parent for mark in folder.glob(f"*/{MARK}")), default=None)


def save_state(accelerator: Accelerator, folder: Path, step: int, run: dict[str, Any]) -> None:
    """Write the state after `step` updates of the `run` so described; the ones before go."""
    state = folder / f"{step:08d}"
    accelerator.save_state(str(state))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        (state / MARK).write_text(json.dumps(run))
        for mark in folder.glob(f"*/{MARK}"):
            if mark.parent != state:
                shutil.rmtree(mark.parent)


def check_state(folder: Path, run: dict[str, Any], resume: bool, steps: int) -> Path | None:
    """The state that `run` goes on from in `folder` to `steps` updates, none where it begins.

    Raises SemcomError where it can do neither.
    """
    state = newest_state(folder)
    if not resume:
        if state is not None:
            raise SemcomError(
                f"'{folder}' holds a run at step {int(state.name)}: go on with it by --resume, "
                "or give another --state."
            )
        return None
    if state is None:
        raise SemcomError(f"'{folder}' holds no state to resume: leave out --resume.")
    check_run(json.loads((state / MARK).read_text()), run, f"'{folder}'", "give another --state")
    if int(state.name) >= steps:
        raise SemcomError(
            f"The run in '{folder}' is at step {int(state.name)}: to go on give more --steps."
        )
    return state
