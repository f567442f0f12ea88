# SPDX-License-Identifier: Apache-2.0
"""A recipe: one `semcom train NAME`, from its options to the weights and their card."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, ClassVar

from semcom_ros import weights
from semcom_ros.labels import LABEL_SPACE

MACHINE = ("device", "workers", "compile", "resume")
"""Options that change no result: no card names them, and they may differ when a run goes on."""


class Recipe:
    """Options and card of one command.

    name: as in `semcom train NAME`. what: the weights in words. scenes: by default, frames of the
    procedural drive to learn from.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    scenes: ClassVar[int]

    def __init__(self, args: argparse.Namespace):
        self.args = args

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """All options of the command."""
        parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
        scenes = "frames of the procedural drive"
        parser.add_argument("--scenes", type=int, default=cls.scenes, help=scenes)
        cls.options(parser)

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        """Those of this command alone."""

    @classmethod
    def run(cls, args: argparse.Namespace) -> None:
        """Do what the command says. Raises SemcomError."""
        cls(args).make()

    def make(self) -> None:
        """Make the weights and their card."""
        raise NotImplementedError

    def described(self, **more: Any) -> dict[str, Any]:
        """A card of weights of this recipe, with `more` of its own."""
        return {
            "what": self.what,
            "label_space": LABEL_SPACE,
            "recipe": command_line(self.name, self.args),
            **more,
        }


def command_line(name: str, args: argparse.Namespace) -> str:
    """`semcom train NAME` with every option in `args` that is set but the folders and files, which
    differ by machine, and `MACHINE`; of `start` the card says more (`origin`)."""
    told = [
        option(key, value)
        for key, value in vars(args).items()
        if value is not None and not isinstance(value, Path) and key not in MACHINE
    ]
    files = ["--start FILE"] if getattr(args, "start", None) else []
    return " ".join([f"semcom train {name} --camvid DIR", *told, *files])


def option(name: str, value: Any) -> str:
    """One option as it is typed."""
    text = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"--{name.replace('_', '-')} {text}"


def origin(start: Path, name: str) -> dict[str, Any]:
    """For a card of `semcom train NAME`: what made the weights `start` that it goes on from."""
    card = weights.read_card(start, f"semcom train {name}")
    told = ("recipe", "sha256", "commit", "start")
    return {"start": {name: card[name] for name in told if name in card}}
