# SPDX-License-Identifier: Apache-2.0
"""Scores as tables in the papers' shape: methods down, levels, sizes or metrics across."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.records import Record
from semcom_ros.lab.evaluation.study.study_file import CEILING, SIZE, Entry, Table, sizes_of

NOTHING = "–"
ARROWS = {"higher": "↑", "lower": "↓", "": ""}


@dataclass
class Grid:
    """One table as it is printed, without rows of nothing. notes: why there is no number."""

    title: str
    corner: str
    columns: list[str]
    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether there is no number in it."""
        return not self.rows


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


def grids(scores: Scores) -> Iterator[Grid]:
    """The table of `scores`, or one for each metric where those are not across."""
    table = scores.table
    if table.across == "metrics":
        grid = Grid(scores.data, "system", [named(m) for m in table.metrics])
        for name, entry, link in _rows(table):
            _add_row(grid, name, [scores.of(entry, link, m) for m in table.metrics], table.metrics)
        yield grid
        return
    for metric in table.metrics:
        yield _across_levels(scores, metric)


def markdown(grid: Grid, told: Collection[str] = ()) -> list[str]:
    """The grid's lines; only its notes where it holds no number.

    told: notes that the reader knows, which stand beside no other numbers.
    """
    lines = [f"**{grid.title}**", ""]
    if not grid.empty:
        lines.append("| " + " | ".join([grid.corner, *grid.columns]) + " |")
        lines.append("|" + "|".join(["---", *("---:" for _ in grid.columns)]) + "|")
        lines += ["| " + " | ".join([name, *texts]) + " |" for name, texts in grid.rows]
    elif not grid.notes:
        lines.append("Nothing here has this.")
    notes = [f"- {note}" for note in grid.notes if grid.empty or note not in told]
    return [*lines, *([""] if notes and not grid.empty else []), *notes]


def _across_levels(scores: Scores, metric: str) -> Grid:
    table, title = scores.table, f"{scores.data}: {named(metric)}"
    if table.across == "links":
        grid = Grid(title, "system", [level_of(link, table.links) for link in table.links])
        for entry in (*table.entries, CEILING):
            found = [scores.of(entry, link, metric) for link in table.links]
            _add_row(grid, entry.title, found, [metric] * len(found))
        return grid
    sizes = sizes_of(table)
    grid = Grid(title, "system", [f"{size} bytes" for size in sizes])
    families = dict.fromkeys(entry.family for entry in (*table.entries, CEILING))
    for family in families:
        for link in table.links if family != CEILING.family else table.links[:1]:
            found = [scores.of(_of_size(table, family, s), link, metric) for s in sizes]
            several = len(table.links) > 1 and family != CEILING.family
            name = f"{family}, {level_of(link, table.links)}" if several else family
            _add_row(grid, name, found, [metric] * len(found))
    return grid


def _of_size(table: Table, family: str, size: int) -> Entry | None:
    """The row of `family` at `size`, or its row to which sizes mean nothing, if any."""
    rows = [e for e in (*table.entries, CEILING) if e.family == family]
    unsized = next((e for e in rows if SIZE not in dict(e.options)), None)
    return next((e for e in rows if dict(e.options).get(SIZE) == size), unsized)


def _rows(table: Table) -> Iterator[tuple[str, Entry, Link]]:
    for entry in table.entries:
        for link in table.links:
            several = len(table.links) > 1
            name = f"{entry.title}, {level_of(link, table.links)}" if several else entry.title
            yield name, entry, link
    yield CEILING.title, CEILING, Link()


def level_of(link: Link, among: Sequence[Link]) -> str:
    """A link in few words: its level alone where all are of one model."""
    models = {other.model for other in among if other.level_db is not None}
    return link.level if len(models) <= 1 else link.words


def _add_row(grid: Grid, name: str, found: Sequence[Record | None], metrics: Sequence[str]) -> None:
    texts = []
    for record, metric in zip(found, metrics, strict=True):
        texts.append(text_of(record, METRICS[metric].digits))
        if record and isinstance(record.score.value, str) and texts[-1] == NOTHING:
            whose = metric if record.score.value.startswith("not measured") else name
            note = f"{whose}: {record.score.value}"
            if note not in grid.notes:
                grid.notes.append(note)
    if any(text != NOTHING for text in texts):
        grid.rows.append((name, texts))


def text_of(record: Record | None, digits: int) -> str:
    """The score, and half the width of its confidence interval."""
    if record is not None and record.score.value == "infinite":
        return "∞"
    if record is None or record.number is None:
        return NOTHING
    text = f"{record.number:.{digits}f}"
    if not record.score.ci95:
        return text
    low, high = record.score.ci95
    return f"{text} ±{(high - low) / 2:.{digits}f}" if high > low else text


def named(metric: str) -> str:
    """A metric with its unit, and an arrow to where it is better."""
    m = METRICS[metric]
    unit = f", {m.unit}" if m.unit else ""
    return f"{metric}{unit}{' ' if m.better else ''}{ARROWS[m.better]}"
