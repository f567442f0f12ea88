# SPDX-License-Identifier: Apache-2.0
"""A recipe that trains step by step: the loop, its log, and the state that it goes on from.

A subclass declares what is its own: options, data, networks, update, score and card.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.data import CAMVID_CLASSES
from semcom_ros.lab.training.mixed_precision import MixedPrecision, cosine
from semcom_ros.lab.training.recipe import MACHINE, Log, Recipe, check_run, origin
from semcom_ros.labels import NAMES

STATE_SECONDS = 60
"""A state is saved after every score, and when so much time has passed since the last."""
ENTRIES = ("forward", "condition", "denoise")
"""Methods by which networks are called: what is compiled."""


class Training(Recipe):
    """A recipe that trains networks step by step and keeps the best of them by a score.

    out, steps, batch, rate: defaults of the options; help: of two of them. classes: by name, of the
    network's planes. best_by: the score that chooses. warm_up: updates of rising rate. checkpoints:
    times that it is scored. on_device: batches are drawn there, from data that lie there.
    """

    out: ClassVar[Path]
    steps: ClassVar[int]
    batch: ClassVar[int]
    rate: ClassVar[float]
    classes: ClassVar[tuple[str, ...]] = tuple(NAMES[c] for c in CAMVID_CLASSES)
    help: ClassVar[dict[str, str]] = {"steps": "updates", "rate": "peak learning rate"}
    best_by: ClassVar[str] = "judge"
    warm_up: ClassVar[int] = 200
    checkpoints: ClassVar[int]
    on_device: ClassVar[bool] = False
    compete_from = 0.0
    """Part of the run from whose end on weights are kept only if they are the best; before, all
    are."""
    over = 0.0
    """Part of the run that is over."""

    def __init__(self, args: argparse.Namespace):
        """Load data, build networks: `batches`, and `trainers`, of which "network" is kept."""
        super().__init__(args)
        if min(args.steps, args.batch) < 1 or getattr(args, "scenes", 0) < 0:
            raise SemcomError("Updates and samples start at 1, scenes at 0: give more.")
        if args.minutes is not None and args.minutes <= 0:
            raise SemcomError("A run by the clock takes some --minutes: give more than 0.")
        self.device = torch.device(args.device)
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(args.seed)
        self.batches: Dataset
        self.trainers: dict[str, MixedPrecision] = {}
        self.best: float | None = None
        self.start = {} if args.start is None else origin(args.start, self.name)
        self.begin()

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        log = Path(f"out/train/{cls.name}.jsonl")
        add("--out", type=Path, default=cls.out, help="weights to write, a card beside them")
        add("--log", type=Path, default=log, help="losses and scores; the state lies beside it")
        add("--steps", type=int, default=cls.steps, help=cls.help["steps"])
        clock = "end by the clock instead, as where a machine is lent for minutes"
        add("--minutes", type=float, help=clock)
        add("--rate", type=float, default=cls.rate, help=cls.help["rate"])
        add("--batch", type=int, default=cls.batch, help="samples an update")
        add("--seed", type=int, default=0)
        add("--start", type=Path, help="weights to begin from instead of random ones")
        add("--device", default="cpu", help="where networks run, as cuda")
        cores = len(os.sched_getaffinity(0))
        workers = min(8, max(1, cores - 1))
        add("--workers", type=int, default=workers, help="processes that make batches; 0: none")
        add("--compile", action="store_true", help="torch.compile: minutes first, then faster")
        add("--resume", action="store_true", help="go on from the state saved last")

    def begin(self) -> None:
        """Fill `batches` and `trainers`."""
        raise NotImplementedError

    def update(self, batch: Any, step: int) -> dict[str, torch.Tensor]:
        """Learn from one batch, on the device; returns losses by name."""
        raise NotImplementedError

    def score(self) -> dict[str, float]:
        """Scores of the averaged network."""
        raise NotImplementedError

    def card(self) -> dict[str, Any]:
        """What the card says besides; `scores` of it are told beside those that were reached."""
        raise NotImplementedError

    @property
    def network(self) -> nn.Module:
        """The network that learns."""
        return self.trainers["network"].network

    @property
    def average(self) -> nn.Module:
        """It with averaged weights: what is scored and kept."""
        return self.trainers["network"].average

    def started(self, network: nn.Module) -> nn.Module:
        """`network`, with the weights `--start` where they are given."""
        if self.args.start is not None:
            self.go_on_from(self.args.start, network)
        return network

    def learn(self, network: nn.Module, **how: Any) -> None:
        """Train `network`, a loss alone and no discriminator at its side; how: as the trainer takes
        it."""
        self.trainers["network"] = MixedPrecision(self.started(network), self.device, **how)

    def go_on_from(self, path: Path, network: nn.Module) -> None:
        """Begin with weights that this recipe made. Raises SemcomError where they are others."""
        recipe = f"semcom train {self.name}"
        tensors, card = weights.load(path, recipe)
        if card.get("classes") != list(self.classes):
            raise SemcomError(
                f"Training cannot go on from {path}: its classes are not those that are trained "
                f"here. Begin from weights that `{recipe}` made."
            )
        weights.fill(network, tensors, path)

    def rate_at(self, step: int) -> float:
        """The learning rate of an update; by the clock as many are to come as the pace so far
        promises."""
        steps = self.args.steps if self.args.minutes is None else step / max(self.over, 1e-9)
        return cosine(step, steps, self.args.rate, self.warm_up)

    def part(self, step: int, seconds: float) -> float:
        """How much of the run is over after so many updates and seconds."""
        minutes = self.args.minutes
        return step / self.args.steps if minutes is None else seconds / (60 * minutes)

    def competes(self, step: int) -> bool:
        """Whether at update `step` the part of the run is over after which weights compete."""
        if self.args.minutes is None:
            return step >= int(self.compete_from * self.args.steps)
        return self.over >= self.compete_from

    def optimise(self, step: int) -> torch.Tensor:
        """Apply the network's gradients; returns their norm."""
        return self.trainers["network"].step(self.rate_at(step))

    def make(self) -> None:
        """Train; on `--resume` from the state saved last."""
        args, state = self.args, self.args.log.with_suffix(".state")
        done, logged = self.load_state(state) if args.resume else (0, None)
        log = Log(args.log, done, logged)
        if args.compile:
            for entry in ENTRIES:
                if entry in vars(type(self.network)):
                    compiled = torch.compile(getattr(self.network, entry))
                    setattr(self.network, entry, compiled)
        every = max(1, args.steps // self.checkpoints)
        self.over = self.part(done, log.seconds)
        saved = time.monotonic()
        for step, batch in enumerate(self.loader(done), done + 1):
            batch = moved(batch, self.device)
            log.add(self.update(batch, step - 1))
            before, self.over = self.over, self.part(step, log.seconds)
            if args.minutes is None:
                scored = step % every == 0 or step == args.steps
            else:
                scored = int(self.over * self.checkpoints) > int(before * self.checkpoints)
            if scored:
                scores = self.score()
                log.write(step, scores)
                self.keep(step, scores)
            if scored or time.monotonic() - saved > STATE_SECONDS:
                self.save_state(state, step, log)
                saved = time.monotonic()
            if self.over >= 1:
                break

    def loader(self, done: int) -> Iterable[Any]:
        """The batches from number `done` on, made in processes ahead of their use."""
        numbers = range(done, self.args.steps if self.args.minutes is None else sys.maxsize)
        if self.on_device:
            return map(self.batches.__getitem__, numbers)
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=numbers,
            num_workers=self.args.workers,
            pin_memory=self.device.type == "cuda",
            # Its own, so that a run that goes on draws as one that never stopped.
            generator=torch.Generator(),
            worker_init_fn=without_opencv_threads,
        )

    def keep(self, step: int, scores: dict[str, float]) -> None:
        """Write weights and card after `step` updates, if they are to be kept."""
        competes, found = self.competes(step - 1), scores[self.best_by]
        if competes and self.best is not None and found <= self.best:
            return
        if competes:
            self.best = found
        self.write(self.args.out, step, scores)

    def write(self, path: Path, step: int, scores: dict[str, float]) -> None:
        """Write the averaged weights to `path`, their card beside them."""
        card = self.card()
        told = card.pop("scores") | {name: round(value, 4) for name, value in scores.items()}
        full = self.described(classes=list(self.classes), **card)
        full |= self.start | {"updates": step, "scores": told}
        weights.save(path, weights.tensors_of(self.average), full)

    def named(self) -> dict[str, Any]:
        """The options that make a run what it is."""
        return {
            name: value
            for name, value in vars(self.args).items()
            if name not in (*MACHINE, "start") and not isinstance(value, Path)
        }

    def save_state(self, path: Path, step: int, log: Log) -> None:
        """Write all that the run goes on from, whole or not at all."""
        cuda = self.device.type == "cuda"
        state = {
            "run": json.dumps({"options": self.named(), "start": self.start}),
            "step": step,
            "best": self.best,
            "log": log.state(),
            "random": torch.get_rng_state(),
            "random on cuda": torch.cuda.get_rng_state(self.device) if cuda else None,
            "trainers": {name: trainer.state() for name, trainer in self.trainers.items()},
        }
        begun = path.with_suffix(".part")
        torch.save(moved(state, "cpu"), begun)
        begun.replace(path)

    def load_state(self, path: Path) -> tuple[int, dict[str, Any]]:
        """Bring the run to the state in `path`; returns the updates done, and the log's state.

        Raises SemcomError where there is none, it is of another run, or at its end.
        """
        state = read_state(path, "leave out --resume")
        run = json.loads(state["run"])
        check_run(run["options"], self.named(), f"'{path}'", "leave out --resume")
        if self.part(state["step"], state["log"]["seconds"]) >= 1:
            raise SemcomError(f"The run in '{path}' is at its end: leave out --resume.")
        for name, trainer in self.trainers.items():
            trainer.restore(state["trainers"][name])
        self.best, self.start = state["best"], run["start"]
        torch.set_rng_state(state["random"])
        if state["random on cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random on cuda"], self.device)
        return state["step"], state["log"]


def read_state(path: Path, otherwise: str) -> dict[str, Any]:
    """The state that a run left in `path`, on the CPU. Raises SemcomError, which says what to do
    `otherwise`, where there is none."""
    if not path.is_file():
        raise SemcomError(f"There is no state '{path}' to go on from: {otherwise}.")
    return torch.load(path, weights_only=True, map_location="cpu")


def moved(values: Any, device: str | torch.device) -> Any:
    """`values`, tensors in any nest of tuples, lists and dictionaries, on `device`."""
    if isinstance(values, torch.Tensor):
        # What comes back is read at once: it must be waited for.
        return values.to(device, non_blocking=torch.device(device).type != "cpu")
    if isinstance(values, dict):
        return {name: moved(value, device) for name, value in values.items()}
    if isinstance(values, list | tuple):
        parts = [moved(value, device) for value in values]
        return type(values)(*parts) if hasattr(values, "_fields") else type(values)(parts)
    return values


def without_opencv_threads(worker: int) -> None:
    """For processes of a loader: OpenCV's threads do not survive the fork, and to set their number
    to 1 would wait for them to end."""
    cv2.setNumThreads(0)
