# SPDX-License-Identifier: Apache-2.0
"""The options of `semcom eval`, and the study that they ask for."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from semcom_ros.channel.parameters import NONE, PARAMETERS
from semcom_ros.codecs import CODECS
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.shared import device_option
from semcom_ros.lab.evaluation.study.data import LABELS
from semcom_ros.lab.evaluation.study.links import Link, spread
from semcom_ros.lab.evaluation.study.study_file import (
    FRAMES,
    SEED,
    SIZE,
    Study,
    Table,
    parse_study,
    read_study,
)
from semcom_ros.runtime import shipped_folder

T = TypeVar("T")

QUICK_FRAMES, QUICK_PAPER_FRAMES = 16, 8
PAPERS = ("gesco", "sqgan", "gsc")
"""Each by its study in config/."""

_OF_ONE_TABLE = {
    "codec": "codecs and systems, as gesco,jpeg2000,full_image (default: gesco)",
    "setting": "payload bytes of codecs, as 128,256,512 (default: 512)",
    "labels": "the vehicle's map: segmenter (default), or truth with its void filled",
    "security": "of payloads, whose bytes count: none,signed,session (default: none)",
    "channel": "models of the radio, as awgn,rayleigh (default: none)",
    "trace": "folder of a DeepMIMO scenario, for channel trace",
    "snr_db": "mean SNR of a symbol, dB, as 0,10 or -5:30:5 (default: 10)",
}
_MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "split": ("of data that has splits (default: val)", {}),
    "metrics": ("as psnr,ms_ssim,miou (default: most)", {}),
    **{p.name: (f"{p.text} (default: {p.default})", {"type": int}) for p in (FRAMES, SEED)},
    "config": (
        "a study of many tables, instead of the options of one",
        {"type": Path, "metavar": "FILE.yaml"},
    ),
    "paper": (
        "every table and figure of a paper at our scale, beside what it reports, on Cityscapes in "
        "$CITYSCAPES_DATASET where no --data is given",
        {"choices": PAPERS},
    ),
    "judge": ("segmenter that reads the images shown: weights of a recipe, or a checkpoint of "
              "transformers by folder or hub id (default: the shipped judge)", {}),
    "detection": ("what finds boxes in them: shipped (default) or such a checkpoint", {}),
    "depth": ("what tells distances in them: shipped (default) or such a checkpoint", {}),
    "backbones": ("folder of the published weights of LPIPS, DISTS, FID and KID", {"type": Path}),
    "detector": ("folder of COCO's detector (centernet.json), which finds cars and people", {
        "type": Path, "metavar": "DIR"}),
    "workers": (
        "processes at once, which share the machine (default: one a core; one for few frames)",
        {"type": int, "metavar": "N"},
    ),
    "ray": (
        "a Ray cluster that measures, as 10.0.0.1:6379, or auto: that of this machine",
        {"metavar": "ADDRESS"},
    ),
    "shard": (
        "measure the i-th of n parts alone and write no tables; without it, a later run finds what "
        "all of them left in the folder of the results",
        {"metavar": "i/n"},
    ),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval`; what is not given is not there, so that a study may say it."""
    # argparse takes `-5:30:5` for an option unless it is told that numbers may go on like this.
    parser._negative_number_matcher = re.compile(r"-\d[\d.,:-]*")
    about = "frames, as camvid:DIR or scenes:SEED; may be given again (default: scenes:1)"
    options = {"data": (about, {"action": "append", "metavar": "KIND:PLACE"})}
    options |= {name: (text, {}) for name, text in _OF_ONE_TABLE.items()} | _MORE
    for name, (text, more) in options.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, help=text, default=argparse.SUPPRESS, **more)
    about = f"{QUICK_FRAMES} frames at most, and a study's quick tables alone; of a paper "
    about += f"{QUICK_PAPER_FRAMES}, and ends and middle of each axis"
    parser.add_argument("--quick", action="store_true", help=about)
    about = "first run the commands that empty rows name"
    parser.add_argument("--train", action="store_true", help=about)
    device_option(parser)
    parser.add_argument("--out", type=Path, default=Path("out/eval"), help="folder of the results")
    parser.set_defaults(command=["semcom", "eval"])


def data_of(given: Mapping[str, Any]) -> list[str]:
    """The specs of the data that the options name, or what stands in for them."""
    place = os.environ.get("CITYSCAPES_DATASET") if "paper" in given else None
    return given.get("data") or [f"cityscapes:{place}" if place else "scenes:1"]


def places_of(specs: Sequence[str]) -> dict[str, str]:
    """The specs by what a study calls their data: by their kind, or as scenes:SEED.

    Raises SemcomError where two are called alike.
    """
    places: dict[str, str] = {}
    for spec in specs:
        kind, colon, _ = spec.partition(":")
        name = spec if kind == "scenes" else kind if colon else Path(spec).name
        if name in places:
            raise SemcomError(
                f"Two --data are called {name}: a study knows data by their kind, so give one of "
                "each, and measure the other in a study of its own."
            )
        places[name] = spec
    return places


def study_of(given: Mapping[str, Any], data: tuple[str, ...]) -> Study:
    """The study that the options given ask for. Raises SemcomError."""
    fixed = {name: given[name] for name in ("seed", "split", "frames") if name in given}
    if "metrics" in given:
        fixed["metrics"] = given["metrics"].split(",")
    named = next((name for name in ("paper", "config") if name in given), None)
    if named is None:
        study = parse_study(one_table(given), data, fixed)
    else:
        others = ("config", *_OF_ONE_TABLE) if named == "paper" else _OF_ONE_TABLE
        odd = next((name for name in others if name in given), None)
        if odd:
            raise SemcomError(
                f"--{odd.replace('_', '-')} does not go with --{named}: write it into the study."
            )
        shipped = shipped_folder("config") / f"{given.get('paper')}.yaml"
        study = read_study(given.get("config", shipped), data, fixed)
    if not given["quick"]:
        return study
    kept = [t for t in study.tables if t.quick] or study.tables
    most = QUICK_PAPER_FRAMES if named == "paper" else QUICK_FRAMES
    tables = tuple(replace(t, frames=min(t.frames, most)) for t in kept)
    return replace(study, tables=tuple(map(_thinned, tables)) if named == "paper" else tables)


def _thinned(table: Table) -> Table:
    """The table with ends and middle of its axes alone: links, sizes, schemes of an envelope.

    What the paper's figures are held against stays too.
    """
    named = {n for c in table.claims for n in (c.row, c.than, c.level, c.to)}
    models: dict[str, list[Link]] = {}
    for link in table.links:
        models.setdefault(link.model, []).append(link)
    links = [k for levels in models.values() for k in _ends_and_middle(levels)]
    entries = [e for rows in table.families.values() for e in _ends_and_middle(rows)]
    kept = (e for e in table.entries if e in entries or e.title in named)
    return replace(
        table,
        entries=tuple(replace(e, schemes=_ends_and_middle(e.schemes)) for e in kept),
        links=tuple(k for k in table.links if k in links or {k.level, k.words} & named),
    )


def _ends_and_middle(axis: Sequence[T]) -> tuple[T, ...]:
    return tuple(axis) if len(axis) <= 3 else (axis[0], axis[len(axis) // 2], axis[-1])


def one_table(given: Mapping[str, Any]) -> dict[str, Any]:
    """The study of one table that the options stand for, as its YAML would have it."""
    sizes = read_numbers(given.get("setting", "512"))
    models = given.get("channel", NONE).split(",")
    if "snr_db" in given and models == [NONE]:
        raise SemcomError("--snr-db says nothing of an ideal link: give --channel, such as awgn.")
    levels = read_numbers(given.get("snr_db", f"{PARAMETERS['snr_db'].default:g}"))
    common: dict[str, Any] = {"labels": given.get("labels", LABELS[0])}
    if "security" in given:
        common["security"] = given["security"].split(",")
    systems = [
        {"codec": name, SIZE: sizes, **common}
        if name in CODECS or ":" in name
        else {"system": name, **common}
        for name in given.get("codec", "gesco").split(",")
    ]
    if "trace" in given and "trace" not in models:
        raise SemcomError("--trace is for the channel trace alone: give --channel trace.")
    own = {"trace": {"trace": given.get("trace", "")}}
    links = [m if m == NONE else {"channel": m, "snr_db": levels, **own.get(m, {})} for m in models]
    several = len(levels) > 1 and models != [NONE] or len(models) > 1
    across = "links" if several else SIZE if len(sizes) > 1 else "metrics"
    table = {"title": "Systems", "systems": systems, "links": links, "across": across}
    return {"tables": [table]}


def read_numbers(text: str) -> list[int | float]:
    """The numbers of `text` from a command line: `128,256` or `-5:30:5`. Raises SemcomError."""
    values = [value for part in text.split(",") for value in spread(part.strip())]
    try:
        return [
            v if not isinstance(v, str) else int(v) if v.lstrip("-").isdecimal() else float(v)
            for v in values
        ]
    except ValueError:
        raise SemcomError(
            f"'{text}' is no list of numbers: write them as 128,256 or as -5:30:5."
        ) from None


def read_shard(text: str) -> tuple[int, int]:
    """Which of how many shards, from 1, `text` asks for, as 2/8. Raises SemcomError."""
    index, _, shards = text.partition("/")
    if not (index.isdecimal() and shards.isdecimal() and 1 <= int(index) <= int(shards)):
        raise SemcomError(f"'{text}' is no shard: write 2/8 for the second of eight.")
    return int(index), int(shards)
