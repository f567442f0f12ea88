# SPDX-License-Identifier: Apache-2.0
"""The `semcom` command: find the module that does the job, hand it its arguments.

A module behind a command, or a class in it, offers `add_arguments(parser)` and
`run(args) -> int | None`, and sets a default for `command` if it wants the words of the call. It is
imported only when its command is called, so that `semcom --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from semcom_ros import __version__
from semcom_ros.errors import SemcomError, choose
from semcom_ros.runtime import check_device, check_output, keep_freed_memory


class Command(NamedTuple):
    """A command's line in the help, and, if it is one by itself, the module of the lab, or of
    another `part`, behind it, or the class as `module:Class`."""

    help: str
    module: str = ""
    part: str = "lab"


COMMANDS = {
    "": Command("send meaning instead of pixels from a vehicle to a roadside unit"),
    "demo": Command("drive through vehicle, channel and RSU, and score", "demo.run"),
    "launch": Command(
        "start vehicles, RSU or both, as `ros2 launch` does", "launch_command", "nodes"
    ),
    "inspect": Command("print what a payload file holds", "inspect_payload"),
    "bag": Command("bags of ROS 2: made from data sets, and what they hold"),
    "bag cityscapes": Command(
        "write drives of Cityscapes with time, mounting and motion", "bag.from_cityscapes"
    ),
    "bag from": Command("write the frames of any source", "bag.from_source"),
    "bag info": Command("print the topics of a bag", "bag.info"),
    "train": Command("make the weights in models/"),
    "train segmenter": Command(
        "train the vehicle's segmenter", "training.segmenter:SegmenterTraining"
    ),
    "train reader": Command(
        "train FCN, DeepLab or a segmenter to read a study's pictures",
        "training.reader:ReaderTraining",
    ),
    "train restorer": Command(
        "teach GESCO to restore a coded picture", "training.restorer.training:RestorerTraining"
    ),
    "train sight": Command(
        "train segmenter, its teacher or the panel on ImageNet's features",
        "training.sight.training:SightTraining",
    ),
    "train pack": Command(
        "bring together what sight and restorer learn from", "training.street_pack:StreetPack"
    ),
    "train map": Command("learn the prior of the map coder", "training.statistics:MapPrior"),
    "train thumbnail": Command(
        "learn how to share out the thumbnail's bits",
        "training.statistics:ThumbnailStatistics",
    ),
    "train gesco": Command(
        "train the RSU's few-step diffusion", "training.gesco.training:GescoTraining"
    ),
    "train gesco-paper": Command(
        "train the diffusion of GESCO's paper, on CUDA machines", "papers.gesco:GescoPaperTraining"
    ),
    "train sqgan": Command(
        "train SQ-GAN's networks, stage by stage", "training.sqgan.training:SqganTraining"
    ),
    "train sqgan-paper": Command(
        "train the networks of SQ-GAN's paper, on CUDA machines", "papers.sqgan:SqganPaperTraining"
    ),
    "train gsc": Command(
        "train both ends of gsc through the emulated radio, step by step",
        "training.gsc.training:GscTraining",
    ),
    "train gsc-paper": Command(
        "train gsc at the papers' sizes, on CUDA machines", "papers.gsc:GscPaperTraining"
    ),
    "train jscc": Command(
        "train the learned links that gsc is held against", "jscc.training:JsccTraining"
    ),
    "train generator": Command(
        "train a generator that GESCO is held against",
        "papers.generators.training:GeneratorTraining",
    ),
    "train denoiser": Command(
        "train the map denoiser that fast denoising is held against",
        "training.gesco.denoiser:DenoiserTraining",
    ),
    "train perception": Command(
        "train detection and depth on the segmenter's features",
        "training.perception.training:PerceptionTraining",
    ),
    "train perception-taught": Command(
        "train perception on with the labels of a teacher",
        "training.sight.perception_taught:TaughtPerceptionTraining",
    ),
    "eval": Command(
        "score any codec over any channel on data; with a name, what is in models/",
        "evaluation.study.run",
    ),
    "eval segmenter": Command(
        "intersection over union on labelled data", "evaluation.evaluate_segmenter"
    ),
    "eval denoising": Command(
        "fast denoising of noisy one-hot maps", "evaluation.evaluate_denoising"
    ),
    "eval perception": Command("detection and depth", "evaluation.evaluate_perception"),
    "eval hallucinations": Command(
        "whether maps that lie make the RSU publish what they lack",
        "evaluation.evaluate_hallucinations",
    ),
    "eval sizes": Command(
        "gsc and the learned links on frames of their papers' sizes", "evaluation.evaluate_sizes"
    ),
    "weights": Command("weights that others trained, and weights made smaller"),
    "weights import": Command(
        "bring other people's weights of a paper's network into models/", "weights_import"
    ),
    "weights pack": Command("keep kernels in a byte a weight, to ship", "weights_pack"),
    "soak": Command("a fault in a running graph, and whether its limits hold", "soak.run"),
    "fuzz": Command("give payload reader and decoders what no vehicle sends", "fuzz.run"),
    "keys": Command("keys and certificates of vehicles and RSUs, for `security`"),
    "keys make": Command("make a key and its certificate", "keys_command:Make", "link"),
    "keys show": Command("list a folder's certificates", "keys_command:Show", "link"),
    "bench": Command("time what the package does on this machine", "evaluation.bench"),
    "channel": Command("the emulated radio: checks, plots, tables, traces"),
    "channel check": Command("the radio against theory, as a table", "evaluation.check_channel"),
    "channel check-abstraction": Command(
        "the link abstraction against the exact chain", "evaluation.check_abstraction"
    ),
    "channel plot": Command("draw error rates and a drive's fades", "evaluation.plot_channel"),
    "channel table": Command(
        "measure the block errors that the abstraction draws from", "evaluation.block_error_table"
    ),
    "channel make-trace": Command("write a small DeepMIMO scenario", "evaluation.synthetic_trace"),
}
"""By the words that call it; a name of several words is listed in the help of those before."""
OUTPUTS = ("out", "json", "log", "state")
"""Options that name what a command writes; a file where the default, or else the value, ends so."""


def within(group: str) -> dict[str, Command]:
    """The commands that are called by `group` and one more word, by that word."""
    named = {name.rpartition(" ")[::2]: command for name, command in COMMANDS.items() if name}
    return {word: command for (above, word), command in named.items() if above == group}


def find(words: Sequence[str]) -> str:
    """The command that `words` begin with: it ends where they stop or turn to options.

    Raises SemcomError for a word that leads nowhere.
    """
    name = ""
    for word in words:
        inner = within(name)
        if not inner or word.startswith("-"):
            break
        name = f"{name} {choose(word, inner, f'{name} command'.strip())}".strip()
    return name


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 2 for what the user can put right."""
    keep_freed_memory()
    words = list(sys.argv[1:] if argv is None else argv)
    output: Path | None = None
    try:
        name = find(words)
        command, inner = COMMANDS[name], within(name)
        prog = f"semcom {name}".strip()
        parser = argparse.ArgumentParser(
            prog=prog,
            usage=None if command.module else f"{prog} COMMAND ...",
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            formatter_class=_Formatter,
        )
        if inner:
            width = max(map(len, inner))
            lines = [f"  {word:{width}}  {entry.help}" for word, entry in inner.items()]
            more = f"{prog} COMMAND --help says more."
            parser.epilog = "\n".join(["commands:", *lines, "", more])
        if not command.module:
            parser.add_argument("--version", action="version", version=f"semcom {__version__}")
            parser.parse_args(words[len(name.split()) :])
            parser.print_help()
            return 2
        # With a colon an import that fails is told as what it is.
        strict = "" if ":" in command.module else ":"
        module = resolve_name(f"semcom_ros.{command.part}.{command.module}{strict}")
        module.add_arguments(parser)
        args = parser.parse_args(words[len(name.split()) :])
        if "command" in args:
            args.command = ["semcom", *words]
        if vars(args).get("device", "cpu") != "cpu":
            check_device(args.device)
        for name in OUTPUTS:
            if path := vars(args).get(name):
                output = output or path
                usual = parser.get_default(name) or path
                check_output(path, is_file=bool(usual.suffix) or path.suffix == ".safetensors")
        status = module.run(args) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads the output has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except SemcomError as error:
        print(f"semcom: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # No error names the file that a full disk keeps from growing.
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        if (place := error.filename or (output if full else None)) is None:
            raise
        reason = f"{error.strerror}. Put that right, or name another place."
        print(f"semcom: '{place}' cannot be used: {reason}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Defaults in the help, and the list of commands line by line."""


if __name__ == "__main__":
    sys.exit(main())
