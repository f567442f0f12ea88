# SPDX-License-Identifier: Apache-2.0
"""Scores as records: the files `scores.csv`, `latency.csv` and `scores.json`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.cells import Cell
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score

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


def write_records(out: Path, records: Sequence[Record], provenance: Mapping[str, Any]) -> None:
    """Write the three files. Times are kept out of `scores.csv`, which one seed makes one way."""
    timing = [r for r in records if METRICS[r.metric].timing]
    _write_csv(out / "scores.csv", [r for r in records if not METRICS[r.metric].timing])
    _write_csv(out / "latency.csv", timing)
    content = {"provenance": provenance, "scores": [r.fields() for r in records]}
    (out / "scores.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _write_csv(path: Path, records: Sequence[Record]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in records:
            fields = one.fields()
            low, high = fields.pop("ci95") or (None, None)
            row = {**fields, "ci95_low": low, "ci95_high": high}
            writer.writerow({name: _written(value) for name, value in row.items()})


def _written(value: Any) -> Any:
    """Six digits: the last ones of a float hang on the machine."""
    return f"{value:.6g}" if isinstance(value, float) else value
