# SPDX-License-Identifier: Apache-2.0
"""The files of a study: scores for programs, and a report for readers with tables and pictures."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.study_file import CEILING, Study
from semcom_ros.lab.evaluation.study.tables import Record, Scores, best, grids, named

COLUMNS = ("table", "data", "split", "system", "codec", "setting", "channel", "snr_db", "level",
           "metric", "value", "unit", "n", "ci95_low", "ci95_high")  # fmt: skip

ENVELOPE = (
    "A modulation and code rate beside a score names the best of all there: the envelope over them."
)


def write_records(out: Path, records: Sequence[Record], provenance: Mapping[str, Any]) -> None:
    """Write `scores.csv`, `latency.csv` and `scores.json`.

    Times are kept out of `scores.csv`, which one seed makes one way.
    """
    fields = [r.fields() for r in records]
    for name, timing in (("scores.csv", False), ("latency.csv", True)):
        with (out / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for row in (f for f in fields if METRICS[f["metric"]].timing == timing):
                low, high = row["ci95"] or (None, None)
                row = {**row, "ci95_low": low, "ci95_high": high}
                writer.writerow({column: _written(value) for column, value in row.items()})
    content = {"provenance": provenance, "scores": fields}
    (out / "scores.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _written(value: Any) -> Any:
    """Six digits: the last ones of a float hang on the machine."""
    return f"{value:.6g}" if isinstance(value, float) else value


def write_report(
    path: Path, study: Study, records: Sequence[Record], provenance: Mapping[str, Any],
    pictures: Mapping[str, Sequence[str]], beside: Sequence[str] = (),
) -> None:  # fmt: skip
    """Write the report; `pictures` are the files that belong to each table, by its title.

    beside: lines that hold the study against a paper.
    """
    lines = [f"# {study.title}", "", *_provenance(provenance), *beside]
    for table in study.tables:
        frames = provenance["frames"][table.title].items()
        told = ", ".join(f"{n} of {name}" for name, n in frames)
        lines += ["", f"## {table.title}", "", f"Frames: {told}."]
        if any(entry.schemes for entry in table.entries):
            lines += ["", ENVELOPE]
        for data in table.data:
            scores = Scores(table, data, records)
            told: set[str] = set()
            for grid in (*grids(scores), *best(scores)):
                lines += ["", *grid.markdown(told)]
                told.update(grid.notes)
        lines += ["", "What is measured:", ""]
        lines += [f"- {named(name)}: {METRICS[name].text}." for name in table.metrics]
        for name in pictures.get(table.title, ()):
            lines += ["", f"![{Path(name).stem.replace('-', ' ')}]({name})"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _provenance(provenance: Mapping[str, Any]) -> list[str]:
    models = ", ".join(f"{name} {value[:12]}" for name, value in provenance["models"].items())
    return [
        f"Made by `{shlex.join(provenance['command'])}` at commit {provenance['commit'] or '?'}.",
        f"Seed {provenance['seed']}. Models (SHA-256): {models or 'none'}.",
        "± is half the width of the 95 % confidence interval over frames (bootstrap): it takes "
        "frames as independent, and the channel as the one realisation that the seed draws.",
        "Maps are scored in CamVid's eleven classes, which the vehicle's segmenter and the judge "
        "know: trucks, buses and trains count as cars, lights as signs, two-wheelers as riders.",
        "Before its first frame the RSU shows grey; the last good one conceals a lost one.",
        f"The last row, {CEILING.title}, is what the metrics say of the camera's own images.",
    ]
