# SPDX-License-Identifier: Apache-2.0
"""A recipe that trains step by step: the loop, and the state that a run goes on from."""

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

LOG_EVERY = 50
"""Updates between lines of the log, besides those that tell scores."""
ENTRIES = ("forward", "condition", "denoise", "planes", "understand", "paint", "label")
"""Methods by which networks are called: what is compiled."""


class Training(Recipe):
    """A recipe that trains networks step by step and keeps the best of them by a score.

    A subclass has `begin()`, which fills `batches` and `trainers`, of which "network" is kept;
    `update(batch, step)` with a batch on the device, which returns losses by name; `score()` of the
    averaged network, by name; and `card()`, whose "scores" are told beside those reached.

    out, steps, batch, rate: defaults of the options; help: of two of them. classes: by name, of the
    network's planes. best_by: the score that chooses. warm_up: updates of rising rate. checkpoints:
    times that it is scored. on_device: batches are drawn there, from data that lie there. share:
    number of this process, and of all.
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
    batches: Dataset
    share = (0, 1)
    state_seconds = 60.0
    """A state is saved after every score, and when so much time has passed since the last."""
    compete_from = 0.0
    """From this part of the run on weights are kept only if they are the best; before, all are."""
    over = 0.0
    """Part of the run that is over."""

    def __init__(self, args: argparse.Namespace):
        super().__init__(args)
        self.trainers: dict[str, MixedPrecision] = {}
        self.best: float | None = None
        self.check()
        # The search takes a minute where others share the device: by the clock there is none.
        torch.backends.cudnn.benchmark = args.minutes is None
        # Of attention with a learned bias cuDNN gives no gradient, and builds a plan by shape.
        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.manual_seed(args.seed)
        self.begin()

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        add = parser.add_argument
        add("--out", type=Path, default=cls.out, help="weights to write, a card beside them")
        log = "losses and scores; the state lies beside it"
        add("--log", type=Path, default=usual_log(cls.name), help=log)
        add("--steps", type=int, default=cls.steps, help=cls.help["steps"])
        clock = "end by the clock instead, as where a machine is lent for minutes"
        add("--minutes", type=float, help=clock)
        add("--rate", type=float, default=cls.rate, help=cls.help["rate"])
        add("--batch", type=int, default=cls.batch, help="samples an update")
        add("--seed", type=int, default=0)
        add("--start", type=Path, help="weights to begin from instead of random ones")
        add("--device", default="cpu", help="where networks run, as cuda")
        workers = min(8, max(1, len(os.sched_getaffinity(0)) - 1))
        add("--workers", type=int, default=workers, help="processes that make batches; 0: none")
        add("--compile", action="store_true", help="torch.compile: minutes first, then faster")
        add("--resume", action="store_true", help="go on from the state saved last")

    def check(self) -> None:
        """Look at the options, before anything takes time. Raises SemcomError."""
        args = self.args
        if min(args.steps, args.batch) < 1 or getattr(args, "scenes", 0) < 0:
            raise SemcomError("Updates and samples start at 1, scenes at 0: give more.")
        if args.minutes is not None and args.minutes <= 0:
            raise SemcomError("A run by the clock takes some --minutes: give more than 0.")
        self.device = torch.device(args.device)
        self.every = max(1, args.steps // self.checkpoints)
        self.start = {} if args.start is None else origin(args.start, self.name)

    def log_as(self, stem: str) -> None:
        """Let `stem` name the log, and the state beside it, unless `--log` says otherwise."""
        if self.args.log == usual_log(self.name):
            self.args.log = self.args.log.with_stem(stem)

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

    def learn(self, network: nn.Module, **how: Any) -> None:
        """Train `network` by a loss alone, without a discriminator; how: as the trainer has it."""
        self.trainers["network"] = MixedPrecision(self.started(network), self.device, **how)

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
        args = self.args
        done, logged = self.load_state() if args.resume else (0, None)
        log = Log(None if self.share[0] else args.log, done, logged)
        for entry in ENTRIES if args.compile else ():
            if entry in vars(type(self.network)):
                setattr(self.network, entry, torch.compile(getattr(self.network, entry)))
        self.over = self.part(done, log.seconds)
        saved = time.monotonic()
        for step, batch in enumerate(self.loader(done), done + 1):
            log.add(self.update(moved(batch, self.device), step - 1))
            before, self.over = self.over, self.part(step, log.seconds)
            if args.minutes is None:
                scored = step % self.every == 0 or step == args.steps
            else:
                scored = int(self.over * self.checkpoints) > int(before * self.checkpoints)
            scores = self.score() if scored else {}
            if scored or step % LOG_EVERY == 0:
                log.write(step, scores, self.over_processes)
                for trainer in self.trainers.values():
                    trainer.check()
            if scored:
                self.keep(step, scores)
            if scored or time.monotonic() - saved > self.state_seconds:
                self.save_state(step, log)
                saved = time.monotonic()
            if self.over >= 1:
                break

    def loader(self, done: int) -> Iterable[Any]:
        """The batches from update `done` on, made in processes ahead of their use."""
        at, processes = self.share
        end = self.args.steps * processes if self.args.minutes is None else sys.maxsize
        numbers = range(done * processes + at, end, processes)
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
            # OpenCV's threads do not survive the fork; 1 would wait for them to end, 0 does not.
            worker_init_fn=lambda _: cv2.setNumThreads(0),
        )

    def over_processes(self, sums: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Means of `sums` over the processes."""
        return sums

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

    def save_state(self, step: int, log: Log) -> None:
        """Write all that the run goes on from, whole or not at all, beside the log."""
        state = {
            "run": json.dumps({"options": self.named(), "start": self.start}),
            "step": step,
            "best": self.best,
            "log": log.state(),
            "random": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],
            "trainers": {name: trainer.state() for name, trainer in self.trainers.items()},
        }
        begun = self.args.log.with_suffix(".part")
        torch.save(moved(state, "cpu"), begun)
        begun.replace(self.args.log.with_suffix(".state"))

    def load_state(self) -> tuple[int, dict[str, Any]]:
        """Bring the run to its state on disk; returns the updates done, and the log's state.

        Raises SemcomError where there is none, it is of another run, or at its end.
        """
        path, otherwise = self.args.log.with_suffix(".state"), "leave out --resume"
        state = read_state(path, otherwise)
        run = json.loads(state["run"])
        check_run(run["options"], self.named(), path, otherwise)
        if self.part(state["step"], state["log"]["seconds"]) >= 1:
            raise SemcomError(f"The run in '{path}' is at its end: {otherwise}.")
        for name, trainer in self.trainers.items():
            trainer.restore(state["trainers"][name])
        self.best, self.start = state["best"], run["start"]
        on_cpu, *on_cuda = state["random"]
        torch.set_rng_state(on_cpu)
        torch.cuda.set_rng_state_all(on_cuda[: torch.cuda.device_count()])
        return state["step"], state["log"]


def usual_log(name: str) -> Path:
    """Where the recipe `name` keeps its log."""
    return Path(f"out/train/{name}.jsonl")


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
