# SPDX-License-Identifier: Apache-2.0
"""Runs the commands that a study's empty rows and links name, and no other."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from rich.console import Console

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.runner import Runner

DIR = "DIR"
FULL_WIDTH = "-paper"
"""Ends the names of recipes that train a paper's networks as they were published."""


def make_missing(runner: Runner, places: Mapping[str, str]) -> int:
    """Run what makes the files that jobs lack, each command once and in order; how many were run.

    One whose `--out` is there is skipped, and so is one that learns from data whose place is not
    known, or at a paper's full width without a GPU; of those, and of one that fails, the rows stay
    empty. places: where each kind of data lies, which takes the place of DIR.
    """
    lacking = (cell for cell, job in runner.jobs.items() if job.lacks)
    named = (c for cell in lacking for c in (*cell.entry.made_by, *cell.link.made_by))
    done = 0
    for command in dict.fromkeys(named):
        try:
            words = list(_placed(command, places))
        except SemcomError as error:
            _tell(f"Not run: {error}")
            continue
        if "--out" in words and Path(words[words.index("--out") + 1]).exists():
            continue
        if words[2].endswith(FULL_WIDTH) and not torch.cuda.is_available():
            _tell(f"Not run: `{command}` trains at the paper's full width and wants a CUDA GPU.")
            continue
        _tell(f"Running {shlex.join(words)}")
        status = subprocess.run([sys.executable, "-m", "semcom_ros.cli", *words[1:]]).returncode
        if status:
            _tell(f"That ended with status {status}: the rows that need it stay empty.")
        done += 1
    return done


def _tell(sentence: str) -> None:
    Console().print(sentence, soft_wrap=True)


def _placed(command: str, places: Mapping[str, str]) -> Iterator[str]:
    """The words of `command`, `camvid:DIR` and `--camvid DIR` with the place of CamVid.

    `--data DIR` is the folder that holds the first data set in files.
    """
    before = ""
    for word in shlex.split(command):
        kind = before.removeprefix("--") if word == DIR else word.removesuffix(f":{DIR}")
        if word == DIR and kind == "data":
            spec = next((s for name, s in places.items() if not name.startswith("scenes:")), None)
            yield str(_folder(command, "camvid", spec).parent)
        elif word == DIR or kind != word:
            folder = _folder(command, kind, places.get(kind))
            yield str(folder) if word == DIR else f"{kind}:{folder}"
        else:
            yield word
        before = word


def _folder(command: str, kind: str, spec: str | None) -> Path:
    if spec is None:
        raise SemcomError(
            f"`{command}` learns from {kind}, which --data does not name: add --data {kind}:{DIR}."
        )
    kind, colon, place = spec.partition(":")
    return Path(place if colon else spec)
