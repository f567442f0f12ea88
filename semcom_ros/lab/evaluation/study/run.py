# SPDX-License-Identifier: Apache-2.0
"""`semcom eval`: measure systems over links on named data, and write tables, plots and sheets."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from semcom_ros.lab.evaluation.study.beside_paper import write_beside
from semcom_ros.lab.evaluation.study.contact_sheet import (
    draw_sheet,
    shown_cells,
    shown_frames,
)
from semcom_ros.lab.evaluation.study.made_first import make_missing
from semcom_ros.lab.evaluation.study.plots import draw_plots, slug
from semcom_ros.lab.evaluation.study.provenance import provenance
from semcom_ros.lab.evaluation.study.ray_tasks import measure_on_ray
from semcom_ros.lab.evaluation.study.report import write_records, write_report
from semcom_ros.lab.evaluation.study.runner import Runner
from semcom_ros.lab.evaluation.study.study_file import Table
from semcom_ros.lab.evaluation.study.study_options import (
    add_arguments,
    data_of,
    places_of,
    read_shard,
    study_of,
)
from semcom_ros.lab.evaluation.study.tables import Scores
from semcom_ros.lab.evaluation.study.workers import measure_apart, take_one_thread, workers_for
from semcom_ros.lab.picture import read_picture, save_picture
from semcom_ros.perception.backends import SHIPPED

__all__ = ["add_arguments", "run"]


def run(args: argparse.Namespace) -> None:
    """Measure, or read what has been measured, and write every result. Raises SemcomError.

    args: with the words of the whole `command`.
    """
    given = vars(args)
    places = places_of(data_of(given))
    study = study_of(given, tuple(places))
    readers = (given.get("judge"), given.get("backbones"), args.device, given.get("detector"))
    chosen = (given.get(name, SHIPPED) for name in ("detection", "depth"))
    runner = Runner(study, places, args.out / "cells", *readers, *chosen)
    if args.train and make_missing(runner, places):
        runner = Runner(*runner.made_of)
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
    also = "paper.csv, " if study.claims else ""
    console.print(
        f"Written to {args.out}: report.md, {also}scores.csv, scores.json, latency.csv, plots, "
        "sheets",
        soft_wrap=True,
    )


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
    beside = write_beside(out / "paper.csv", runner.study, records)
    write_report(out / "report.md", runner.study, records, about, pictures, beside)


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
