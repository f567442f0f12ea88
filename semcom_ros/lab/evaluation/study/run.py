# SPDX-License-Identifier: Apache-2.0
"""`semcom eval`: measure systems over links on named data, and write tables, plots and sheets."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from semcom_ros.channel.parameters import NONE, PARAMETERS
from semcom_ros.codecs import CODECS
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.shared import device_option
from semcom_ros.lab.evaluation.study.contact_sheet import (
    draw_sheet,
    shown_cells,
    shown_frames,
)
from semcom_ros.lab.evaluation.study.data import LABELS
from semcom_ros.lab.evaluation.study.links import spread
from semcom_ros.lab.evaluation.study.plots import draw_plots, slug
from semcom_ros.lab.evaluation.study.provenance import provenance
from semcom_ros.lab.evaluation.study.ray_tasks import measure_on_ray
from semcom_ros.lab.evaluation.study.report import write_records, write_report
from semcom_ros.lab.evaluation.study.runner import Runner
from semcom_ros.lab.evaluation.study.study_file import (
    FRAMES,
    SEED,
    SIZE,
    Study,
    Table,
    parse_study,
    read_study,
)
from semcom_ros.lab.evaluation.study.tables import Scores
from semcom_ros.lab.evaluation.study.workers import measure_apart, take_one_thread, workers_for
from semcom_ros.lab.picture import read_picture, save_picture

QUICK_FRAMES = 16

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
    "judge": (
        "segmenter that reads the images shown (default: the shipped judge)", {"type": Path}),
    "backbones": ("folder of the published weights of LPIPS and FID", {"type": Path}),
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
    about = f"{QUICK_FRAMES} frames at most, and a study's quick tables alone"
    parser.add_argument("--quick", action="store_true", help=about)
    device_option(parser)
    parser.add_argument("--out", type=Path, default=Path("out/eval"), help="folder of the results")
    parser.set_defaults(command=["semcom", "eval"])


def run(args: argparse.Namespace) -> None:
    """Measure, or read what has been measured, and write every result. Raises SemcomError.

    args: with the words of the whole `command`.
    """
    given = vars(args)
    places = places_of(given.get("data", ["scenes:1"]))
    study = study_of(given, tuple(places))
    readers = (given.get("judge"), given.get("backbones"), args.device, given.get("detector"))
    runner = Runner(study, places, args.out / "cells", *readers)
    keys = runner.shard(*read_shard(given["shard"])) if "shard" in given else None
    console = Console()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
        TimeRemainingColumn(), console=console,
    ) as progress:  # fmt: skip
        total = sum(len(job.data) for job, _ in runner.left(keys))
        task = progress.add_task("nothing left to measure", total=total)

        def tell(name: str, frames: int) -> None:
            progress.update(task, description=name, advance=frames)

        workers = given.get("workers") or workers_for(runner, keys)
        if "ray" in given:
            measure_on_ray(runner, given["ray"], tell, keys)
        elif workers > 1:
            measure_apart(runner, workers, tell, keys)
        else:
            take_one_thread()
            runner.run(tell, keys)
    if keys is not None:
        console.print(
            "This part of the study is measured: run the command without --shard for its tables."
        )
        return
    write_results(args.out, runner, [_placeless(word, places) for word in given["command"]])
    console.print(
        f"Written to {args.out}: report.md, scores.csv, scores.json, latency.csv, plots, sheets",
        soft_wrap=True,
    )


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
    if "config" not in given:
        study = parse_study(one_table(given), data, fixed)
    else:
        odd = next((name for name in _OF_ONE_TABLE if name in given), None)
        if odd:
            raise SemcomError(
                f"--{odd.replace('_', '-')} does not go with --config: write it into the study."
            )
        study = read_study(given["config"], data, fixed)
    if not given["quick"]:
        return study
    kept = [t for t in study.tables if t.quick] or study.tables
    tables = tuple(replace(t, frames=min(t.frames, QUICK_FRAMES)) for t in kept)
    return replace(study, tables=tables)


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


def write_results(out: Path, runner: Runner, command: list[str]) -> None:
    """Everything but the cells themselves, from what they hold. Raises SemcomError."""
    records = runner.records()
    about = provenance(command, runner.study.seed, runner.frames, runner.models)
    write_records(out, records, about)
    pictures: dict[str, list[str]] = {}
    for table in runner.study.tables:
        for data in table.data:
            files = draw_plots(out / "plots", Scores(table, data, records))
            files += _sheets(out / "sheets", runner, table, data)
            names = [path.relative_to(out).as_posix() for path in files]
            pictures.setdefault(table.title, []).extend(names)
    write_report(out / "report.md", runner.study, records, about, pictures)


def _sheets(folder: Path, runner: Runner, table: Table, data: str) -> list[Path]:
    """One sheet for each link shown: every method's strip of every frame shown."""
    files = []
    frames = shown_frames(table, runner.frames[table.title][f"{data} {table.split}"])
    for cells in shown_cells(table, data):
        rows = [
            (f"{cell.entry.title}, frame {index}", read_picture(runner.jobs[cell].strip(index)))
            for cell in cells
            if not runner.jobs[cell].lacks
            for index in frames
        ]
        if rows:
            name = slug(f"{table.title} {data} {cells[0].link.words}")
            files.append(folder / f"{name}.png")
            save_picture(files[-1], draw_sheet(rows))
    return files


def _placeless(word: str, places: dict[str, str]) -> str:
    """A word of the command as others can use it: where data lies on one machine is no matter."""
    names = {spec: name for name, spec in places.items() if not name.startswith("scenes:")}
    option, spec = ("--data=", word[7:]) if word.startswith("--data=") else ("", word)
    return f"{option}{names[spec]}:DIR" if spec in names else word
