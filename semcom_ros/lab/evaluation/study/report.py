# SPDX-License-Identifier: Apache-2.0
"""`report.md`: where the scores come from, their tables, who is best, and the pictures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.records import Record, Scores
from semcom_ros.lab.evaluation.study.study_file import CEILING, Study
from semcom_ros.lab.evaluation.study.tables import best, grids, named


def write_report(
    path: Path, study: Study, records: Sequence[Record], provenance: Mapping[str, Any],
    pictures: Mapping[str, Sequence[str]],
) -> None:  # fmt: skip
    """Write the report; `pictures` are the files that belong to each table, by its title."""
    lines = ["# Study", "", *_provenance(provenance)]
    for table in study.tables:
        frames = provenance["frames"][table.title].items()
        told = ", ".join(f"{n} of {name}" for name, n in frames)
        lines += ["", f"## {table.title}", "", f"Frames: {told}."]
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
        "Before its first frame the RSU shows grey; a lost one leaves the last good one standing.",
        f"The last row, {CEILING.title}, is what the metrics say of the camera's own images.",
    ]
