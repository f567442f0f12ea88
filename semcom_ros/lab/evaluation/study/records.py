# SPDX-License-Identifier: Apache-2.0
"""Scores as records: found by row, link and metric, and written to files for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.study_file import CEILING, Cell, Entry, Table

COLUMNS = ("table", "data", "split", "system", "codec", "setting", "channel", "snr_db", "level",
           "metric", "value", "unit", "n", "ci95_low", "ci95_high")  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One score of one cell of `table`."""

    table: str
    cell: Cell
    codec: str
    setting: int | float | str | None
    metric: str
    score: Score

    @property
    def number(self) -> float | None:
        """The score where it is a number."""
        value = self.score.value
        return value if isinstance(value, float | int) else None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval of a number: itself where none is known."""
        return self.score.ci95 or (self.number, self.number)

    def fields(self) -> dict[str, Any]:
        """The record as it stands in `scores.json`."""
        cell, score = self.cell, self.score
        return {
            "table": self.table, "data": cell.data, "split": cell.split,
            "system": cell.entry.title, "codec": self.codec, "setting": self.setting,
            "channel": cell.link.model, "snr_db": cell.link.snr_db, "level": cell.link.level,
            "metric": self.metric, "value": score.value, "unit": METRICS[self.metric].unit,
            "n": score.n, "ci95": list(score.ci95) if score.ci95 else None,
        }  # fmt: skip


class Scores:
    """The records of one table on one data set, found by row, link and metric."""

    def __init__(self, table: Table, data: str, records: Sequence[Record]) -> None:
        self.table, self.data = table, data
        self._records = {
            (r.cell.entry, r.cell.link, r.metric): r
            for r in records
            if r.table == table.title and r.cell.data == data
        }

    def of(self, entry: Entry | None, link: Link, metric: str) -> Record | None:
        """The record, or None; the ceiling is the same over every link."""
        return self._records.get((entry, Link() if entry == CEILING else link, metric))

    def number(self, entry: Entry | None, link: Link, metric: str) -> Record | None:
        """The record where its score is a number."""
        found = self.of(entry, link, metric)
        return found if found and found.number is not None else None


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
