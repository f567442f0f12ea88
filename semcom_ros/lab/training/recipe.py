# SPDX-License-Identifier: Apache-2.0
"""A recipe: one `semcom train NAME`, from its options to the weights, their card and the log."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.label_spaces import CITYSCAPES19, LabelSpace

if TYPE_CHECKING:
    import torch

MACHINE = ("device", "workers", "compile", "resume")
"""Options that change no result: no card names them, and they may differ when a run goes on."""


class Recipe:
    """Options and card of one command; a subclass makes by `make` what it promises.

    name: as in `semcom train NAME`. what: the weights in words. scenes: by default, frames of the
    procedural drive to learn from; none: it takes no such option. space: that of its labels.
    """

    name: ClassVar[str]
    what: str
    scenes: ClassVar[int | None] = None
    space: LabelSpace = CITYSCAPES19

    def __init__(self, args: argparse.Namespace):
        self.args = args

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """All options of the command."""
        cls.sources(parser)
        if cls.scenes is not None:
            scenes = "frames of the procedural drive"
            parser.add_argument("--scenes", type=int, default=cls.scenes, help=scenes)
        cls.options(parser)

    @classmethod
    def sources(cls, parser: argparse.ArgumentParser) -> None:
        """Those that name its data."""
        parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        """Those of this command alone."""

    @classmethod
    def run(cls, args: argparse.Namespace) -> None:
        """Do what the command says. Raises SemcomError."""
        cls(args).make()

    @property
    def frames(self) -> str:
        """What is learned from, in words."""
        return f"CamVid train (367 frames) and {self.args.scenes} frames of the procedural drive"

    def described(self, **more: Any) -> dict[str, Any]:
        """A card of weights of this recipe, with `more` of its own."""
        own = {"what": self.what, "label_space": self.space.name}
        own |= {} if "data" in more else {"data": self.frames}
        return own | {"recipe": command_line(self.name, self.args)} | more


class Log:
    """Means over the updates since the last line, a JSON object a line, in a file and printed;
    path: None to be silent.

    done: updates that a run had made before it went on; what the file says of later ones goes.
    Losses are added up where they lie: a GPU need not be waited for at every update.
    """

    def __init__(self, path: Path | None, done: int = 0, state: dict[str, Any] | None = None):
        self.path, self.seen, self.sums, self.before = path, 0, {}, 0.0
        if state is not None:
            self.seen, self.sums, self.before = (state[k] for k in ("seen", "sums", "seconds"))
        self.started = time.monotonic()
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if done and path.is_file() else []
        kept = [line + "\n" for line in lines if json.loads(line)["step"] <= done]
        path.write_text("".join(kept))

    @property
    def seconds(self) -> float:
        """Time of the run, without that between its parts."""
        return self.before + time.monotonic() - self.started

    def state(self) -> dict[str, Any]:
        """What the log of a run that goes on begins with."""
        return {"seen": self.seen, "sums": self.sums, "seconds": self.seconds}

    def add(self, seen: dict[str, torch.Tensor]) -> None:
        """Count the losses, scalars, of one update."""
        self.seen += 1
        for name, value in seen.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach()

    def write(self, step: int, scores: dict[str, float], reduce: Callable[[dict], dict]) -> None:
        """A line after `step` updates: the means, reduced over processes, and `scores`."""
        sums = reduce(self.sums)
        values = {name: float(total) / self.seen for name, total in sums.items()} | scores
        record = {"step": step, "minutes": round(self.seconds / 60, 2)}
        record |= {name: round(value, 5) for name, value in values.items()}
        self.seen, self.sums = 0, {}
        if self.path is None:
            return
        with self.path.open("a") as lines:
            lines.write(json.dumps(record) + "\n")
        print(json.dumps(record), flush=True)


def check_run(saved: dict[str, Any], run: dict[str, Any], path: Path, otherwise: str) -> None:
    """Raise SemcomError unless the options `saved` in `path` are those of `run`."""
    for name, value in run.items():
        if saved.get(name) != value:
            raise SemcomError(
                f"'{path}' holds another run: its {name} is {saved.get(name)}, not {value}. "
                f"Give the same options, or {otherwise}."
            )


def command_line(name: str, args: argparse.Namespace) -> str:
    """`semcom train NAME` with every option in `args` that is set but the folders and files, which
    differ by machine, and `MACHINE`; of `start` the card says more (`origin`)."""
    told = [
        option(key, value)
        for key, value in vars(args).items()
        if not (value is None or value is False or isinstance(value, Path) or key in MACHINE)
    ]
    files = ["--start FILE"] if getattr(args, "start", None) else []
    data = "pack" if getattr(args, "pack", None) else "camvid"
    return " ".join([f"semcom train {name} --{data} DIR", *told, *files])


def option(name: str, value: Any) -> str:
    """One option as it is typed."""
    if value is True:
        return f"--{name.replace('_', '-')}"
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"--{name.replace('_', '-')} {text}"


def origin(start: Path, name: str) -> dict[str, Any]:
    """For a card of `semcom train NAME`: what made the weights `start` that it goes on from."""
    card = weights.read_card(start, f"semcom train {name}")
    told = ("recipe", "sha256", "commit", "start")
    return {"start": {name: card[name] for name in told if name in card}}


def check_sides(option: str, sides: Sequence[int], multiple: int) -> None:
    """Raise SemcomError unless the sides of samples, as `option` gives them, are multiples."""
    if any(side < multiple or side % multiple for side in sides):
        raise SemcomError(f"Sides of samples are multiples of {multiple}: give such a {option}.")
