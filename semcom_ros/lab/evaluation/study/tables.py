# SPDX-License-Identifier: Apache-2.0
"""Scores as records, as tables in the papers' shape, and who is best among those of one size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.pools import Score
from semcom_ros.lab.evaluation.study.study_file import CEILING, Cell, Entry, Table

NOTHING = "–"
ARROWS = {"higher": " ↑", "lower": " ↓", "": ""}
MEANING = (
    "Cells: in brackets, whose score lies within the 95 % confidence interval of the best one; "
    "only methods held to the same bytes are compared."
)


@dataclass(frozen=True)
class Record:
    """One score of one cell."""

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
        (table, data, entry, link), score = self.cell, self.score
        return {
            "table": table.title, "data": data, "split": table.split, "system": entry.title,
            "codec": self.codec, "setting": self.setting, "channel": link.model,
            "snr_db": link.snr_db, "level": link.level,
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
            if (r.cell.table.title, r.cell.data) == (table.title, data)
        }

    def of(self, entry: Entry | None, link: Link, metric: str) -> Record | None:
        """The record, or None; the ceiling is the same over every link.

        Of an envelope that of its best scheme, where the metric has a better end.
        """
        if entry is not None and entry.schemes:
            m = METRICS[metric]
            if not m.better or m.timing:
                return None
            found = [r for e in entry.schemes if (r := self.number(e, link, metric))]
            sign = 1 if m.better == "higher" else -1
            first = self.of(entry.schemes[0], link, metric)
            return max(found, key=lambda r: sign * r.number, default=first)
        return self._records.get((entry, Link() if entry == CEILING else link, metric))

    def number(self, entry: Entry | None, link: Link, metric: str) -> Record | None:
        """The record where its score is a number."""
        found = self.of(entry, link, metric)
        return found if found and found.number is not None else None


@dataclass
class Grid:
    """One table as it is printed. notes: why there is no number.

    Without rows of nothing, but for those whose weights are not made.
    """

    title: str
    corner: str
    columns: list[str]
    rows: list[tuple[str, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, texts: list[str], waits: bool = False) -> None:
        """Add a row, unless it says nothing and does not wait for its weights."""
        if waits or any(text != NOTHING for text in texts):
            self.rows.append((name, texts))

    def add_scores(self, name: str, found: Sequence[tuple[str, Record | None]]) -> None:
        """Add a row of scores, each beside its metric."""
        waits = False
        for metric, record in found:
            reason = record and record.score.value
            if isinstance(reason, str) and text_of(record, metric) == NOTHING:
                whose = metric if reason.startswith("not measured") else name
                if reason.startswith("not made"):
                    whose, waits = record.cell.entry.family.partition(",")[0], True
                self.notes += [n for n in (f"{whose}: {reason}",) if n not in self.notes]
        self.add(name, [text_of(record, metric) for metric, record in found], waits)

    def markdown(self, told: Collection[str] = ()) -> list[str]:
        """The lines; only the notes where there is no number.

        told: notes that the reader knows, which stand beside no other numbers.
        """
        lines = [f"**{self.title}**", ""]
        if any(text != NOTHING for _, texts in self.rows for text in texts):
            lines.append("| " + " | ".join([self.corner, *self.columns]) + " |")
            lines.append("|" + "|".join(["---", *("---:" for _ in self.columns)]) + "|")
            lines += ["| " + " | ".join([name, *texts]) + " |" for name, texts in self.rows]
        elif not self.notes:
            lines.append("Nothing here has this.")
        filled = len(lines) > 2
        notes = [f"- {note}" for note in self.notes if not filled or note not in told]
        return [*lines, *([""] if notes and filled else []), *notes]


def grids(scores: Scores) -> Iterator[Grid]:
    """The table of `scores`, or one for each metric where those are not across."""
    table = scores.table
    entries = (*table.entries, CEILING)
    if table.across == "metrics":
        grid = Grid(scores.data, "system", [named(m) for m in table.metrics])
        for entry in entries:
            for name, link in _over_links(table, entry, entry.title):
                grid.add_scores(name, [(m, scores.of(entry, link, m)) for m in table.metrics])
        yield grid
        return
    sizes, by_level = table.sizes, table.across == "links"
    columns = [level_of(k, table.links) for k in table.links] if by_level else _bytes(sizes)
    for metric in table.metrics:
        grid = Grid(f"{scores.data}: {named(metric)}", "system", columns)
        if by_level:
            for entry in entries:
                found = [(metric, scores.of(entry, link, metric)) for link in table.links]
                grid.add_scores(entry.title, found)
        for entry in () if by_level else {e.family: e for e in entries}.values():
            for name, link in _over_links(table, entry, entry.family):
                rows = [_of_size(table, entry.family, size) for size in sizes]
                grid.add_scores(name, [(metric, scores.of(row, link, metric)) for row in rows])
        yield grid


def best(scores: Scores) -> Iterator[Grid]:
    """The best method in each column that the table's layout has, if sizes were compared at all."""
    table = scores.table
    sizes = table.sizes
    if len({e.family for e in table.entries if e.size is not None}) < 2:
        return
    by_level, several = table.across == "links", len(table.links) > 1
    columns = [level_of(k, table.links) for k in table.links] if by_level else _bytes(sizes)
    corner = "metric, bytes" if by_level else "metric"
    grid = Grid(f"{scores.data}: best by {'level' if by_level else 'bytes'}", corner, columns)
    wins: Counter[str] = Counter()
    for metric in (m for m in table.metrics if METRICS[m].better and not METRICS[m].timing):
        for row in sizes if by_level else table.links:
            cells = [(row, k) for k in table.links] if by_level else [(s, row) for s in sizes]
            texts, winners = zip(
                *(_compare(scores, *cell, metric=metric) for cell in cells), strict=True
            )
            wins.update(filter(None, winners))
            told = f", {row} bytes" if by_level else f", {row.words}" if several else ""
            grid.add(named(metric) + told, list(texts))
    if grid.rows:
        counted = ", ".join(f"{name} {n}" for name, n in wins.most_common())
        grid.notes += [f"Best of {wins.total()} comparisons: {counted}.", MEANING]
        yield grid


def _compare(scores: Scores, size: int, link: Link, metric: str) -> tuple[str, str]:
    """The best method at `size`, with those that its interval does not tell from it.

    And its name where no other has the same score. Nothing where there are not two that differ.
    """
    found = {
        entry.family: record
        for entry in scores.table.entries
        if entry.size == size and (record := scores.number(entry, link, metric))
    }
    if len({record.number for record in found.values()}) < 2:
        return NOTHING, ""
    sign = 1 if METRICS[metric].better == "higher" else -1
    first, *others = sorted(found, key=lambda name: -sign * found[name].number)
    low, high = found[first].ends
    near = [name for name in others if low <= found[name].number <= high]
    text = f"{first} {text_of(found[first], metric).partition(' ')[0]}"
    alone = found[others[0]].number != found[first].number
    return text + (f" ({', '.join(near)})" if near else ""), first if alone else ""


def _over_links(table: Table, entry: Entry, name: str) -> list[tuple[str, Link]]:
    """The row's name over each link; the ceiling's is over none."""
    if entry == CEILING or len(table.links) == 1:
        return [(name, table.links[0])]
    return [(f"{name}, {level_of(link, table.links)}", link) for link in table.links]


def _of_size(table: Table, family: str, size: int) -> Entry | None:
    """The row of `family` at `size`, or its row to which sizes mean nothing, if any."""
    rows = {e.size: e for e in (*table.entries, CEILING) if e.family == family}
    return rows.get(size, rows.get(None))


def level_of(link: Link, among: Sequence[Link]) -> str:
    """A link in few words: its level alone where all are of one model."""
    models = {other.model for other in among if other.level_db is not None}
    return link.level if len(models) <= 1 else link.words


def text_of(record: Record | None, metric: str) -> str:
    """The score, and half the width of its confidence interval."""
    if record is not None and record.score.value == "infinite":
        return "∞"
    if record is None or record.number is None:
        return NOTHING
    digits, (low, high) = METRICS[metric].digits, record.ends
    text = f"{record.number:.{digits}f}"
    spread = f" ±{(high - low) / 2:.{digits}f}" if high > low else ""
    scheme = record.cell.entry.scheme
    return text + spread + (f" {scheme}" if scheme else "")


def named(metric: str) -> str:
    """A metric with its unit, and an arrow to where it is better."""
    m = METRICS[metric]
    return metric + (f", {m.unit}" if m.unit else "") + ARROWS[m.better]


def _bytes(sizes: Sequence[int]) -> list[str]:
    return [f"{size} bytes" for size in sizes]
