# SPDX-License-Identifier: Apache-2.0
"""The `semcom` command: find the module that does the job, hand it its arguments.

A module behind a command offers `add_arguments(parser)` and `run(args) -> int | None`, and sets a
default for `command` if it wants the words of the call. It is imported only when its command is
called, so that `semcom --help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from semcom_ros import __version__
from semcom_ros.errors import SemcomError, choose
from semcom_ros.runtime import keep_freed_memory


class Command(NamedTuple):
    """One command: the module that does it, and its line in the help."""

    module: str
    help: str


class Group(NamedTuple):
    """Commands of one kind, called as `semcom GROUP NAME`.

    bare: what `semcom GROUP --option ...` does, without a name, if that is a command too.
    """

    commands: Mapping[str, Command | Group]
    help: str
    bare: Command | None = None


COMMANDS = Group(
    {
        "demo": Command(
            "semcom_ros.lab.demo.run", "drive through vehicle, channel and RSU, and score"
        ),
        "inspect": Command("semcom_ros.lab.inspect_payload", "print what a payload file holds"),
        "train": Group(
            {
                "segmenter": Command(
                    "semcom_ros.lab.training.segmenter", "train the vehicle's segmenter"
                ),
                "sight": Command(
                    "semcom_ros.lab.training.sight.command",
                    "train segmenter, its teacher and the panel by the clock, on a GPU",
                ),
                "map": Command(
                    "semcom_ros.lab.training.map_prior", "learn the prior of the map coder"
                ),
                "thumbnail": Command(
                    "semcom_ros.lab.training.thumbnail",
                    "learn how to share out the thumbnail's bits",
                ),
                "gesco": Command(
                    "semcom_ros.lab.training.gesco.diffusion",
                    "train the RSU's few-step diffusion",
                ),
                "gesco-paper": Command(
                    "semcom_ros.lab.papers.gesco.training",
                    "train the diffusion of GESCO's paper, on CUDA machines",
                ),
                "sqgan": Command(
                    "semcom_ros.lab.training.sqgan.command",
                    "train SQ-GAN's networks, step by step",
                ),
                "sqgan-paper": Command(
                    "semcom_ros.lab.papers.sqgan.training",
                    "train the networks of SQ-GAN's paper, on CUDA machines",
                ),
                "denoiser": Command(
                    "semcom_ros.lab.training.gesco.denoiser",
                    "train the map denoiser that fast denoising is held against",
                ),
                "perception": Command(
                    "semcom_ros.lab.training.perception.command",
                    "train detection and depth on the segmenter's features",
                ),
            },
            "make the weights in models/",
        ),
        "eval": Group(
            {
                "segmenter": Command(
                    "semcom_ros.lab.evaluation.evaluate_segmenter",
                    "intersection over union on labelled data",
                ),
                "denoising": Command(
                    "semcom_ros.lab.evaluation.evaluate_denoising",
                    "fast denoising of noisy one-hot maps",
                ),
                "perception": Command(
                    "semcom_ros.lab.evaluation.evaluate_perception", "detection and depth"
                ),
                "sqgan": Command(
                    "semcom_ros.lab.evaluation.evaluate_sqgan",
                    "what SQ-GAN keeps by class, beside ablations, and over fractions kept",
                ),
            },
            "score what is in models/ on named data; without a name, any codec over any channel",
            Command(
                "semcom_ros.lab.evaluation.study.run",
                "tables and plots of codecs over channels on data",
            ),
        ),
        "bench": Group(
            {
                "segmenter": Command(
                    "semcom_ros.lab.evaluation.bench_segmenter", "milliseconds to label a frame"
                ),
                "map": Command(
                    "semcom_ros.lab.evaluation.bench_map", "milliseconds to code a label map"
                ),
                "gesco": Command(
                    "semcom_ros.lab.evaluation.bench_gesco",
                    "milliseconds of each step of the codec",
                ),
                "sqgan": Command(
                    "semcom_ros.lab.evaluation.bench_sqgan",
                    "milliseconds of each part of the codec",
                ),
                "perception": Command(
                    "semcom_ros.lab.evaluation.bench_perception",
                    "milliseconds of map, boxes and depth",
                ),
                "channel": Command(
                    "semcom_ros.lab.evaluation.bench_channel", "symbols and frames over the radio"
                ),
            },
            "time what the package does on this machine",
        ),
        "channel": Group(
            {
                "check": Command(
                    "semcom_ros.lab.evaluation.check_channel",
                    "the radio against theory, as a table",
                ),
                "check-abstraction": Command(
                    "semcom_ros.lab.evaluation.check_abstraction",
                    "the link abstraction against the exact chain",
                ),
                "plot": Command(
                    "semcom_ros.lab.evaluation.plot_channel", "draw error rates and a drive's fades"
                ),
                "table": Command(
                    "semcom_ros.lab.evaluation.block_error_table",
                    "measure the block errors that the abstraction draws from",
                ),
                "make-trace": Command(
                    "semcom_ros.lab.evaluation.synthetic_trace", "write a small DeepMIMO scenario"
                ),
            },
            "the emulated radio: checks, plots, tables, traces",
        ),
    },
    "send meaning instead of pixels from a vehicle to a roadside unit",
)


def find(group: Group, words: Sequence[str]) -> tuple[list[str], Command | Group]:
    """The command that `words` begin with, and the names that lead there.

    Ends at a group where the words stop, or turn to options and the group has no bare command.
    Raises SemcomError for a name that the group does not know.
    """
    path: list[str] = []
    found: Command | Group = group
    for word in words:
        if isinstance(found, Command):
            break
        if word.startswith("-"):
            found = found.bare or found
            break
        found = found.commands[choose(word, found.commands, " ".join([*path, "command"]))]
        path.append(word)
    return path, found


def group_parser(prog: str, group: Group) -> argparse.ArgumentParser:
    """A parser that only knows how to list the commands of `group`."""
    width = max(map(len, group.commands))
    lines = [f"  {name:{width}}  {entry.help}" for name, entry in group.commands.items()]
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=f"{prog} COMMAND ...",
        description=_sentence(group.help),
        epilog="\n".join(["commands:", *lines, "", f"{prog} COMMAND --help says more."]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"semcom {__version__}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 2 for what the user can put right."""
    keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        path, found = find(COMMANDS, words)
        prog = " ".join(["semcom", *path])
        rest = words[len(path) :]
        if isinstance(found, Group):
            parser = group_parser(prog, found)
            parser.parse_args(rest)
            parser.print_help()
            return 2
        module = import_module(found.module)
        parser = argparse.ArgumentParser(
            prog=prog,
            description=_sentence(found.help),
            epilog=_others(path),
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        module.add_arguments(parser)
        args = parser.parse_args(rest)
        if "command" in args:
            args.command = ["semcom", *words]
        return module.run(args) or 0
    except SemcomError as error:
        print(f"semcom: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _others(path: Sequence[str]) -> str | None:
    """What else there is where `path` names a group that is a command as well."""
    _, entry = find(COMMANDS, path)
    if isinstance(entry, Command):
        return None
    return f"Also: semcom {' '.join(path)} followed by {', '.join(entry.commands)}."


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


if __name__ == "__main__":
    sys.exit(main())
