# SPDX-License-Identifier: Apache-2.0
"""Who is best, by metric and bytes or by metric and level, among methods of one size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.records import Record
from semcom_ros.lab.evaluation.study.study_file import SIZE, Entry, sizes_of
from semcom_ros.lab.evaluation.study.tables import NOTHING, Grid, Scores, level_of, named, text_of

MEANING = (
    "in brackets, whose score lies within the 95 % confidence interval of the best one; only "
    "methods held to the same bytes are compared"
)


def best(scores: Scores) -> Iterator[Grid]:
    """The best method in each column that the table's layout has, if sizes were compared at all."""
    table = scores.table
    sizes = sizes_of(table)
    if len({e.family for e in table.entries if SIZE in dict(e.options)}) < 2:
        return
    by_level = table.across == "links"
    metrics = [m for m in table.metrics if METRICS[m].better and not METRICS[m].timing]
    columns = [level_of(k, table.links) for k in table.links] if by_level else _bytes(sizes)
    corner = "metric, bytes" if by_level else "metric"
    grid = Grid(f"{scores.data}: best by {'level' if by_level else 'bytes'}", corner, columns)
    wins: Counter[str] = Counter()
    for metric in metrics:
        for row in sizes if by_level else table.links:
            cells = [(row, k) for k in table.links] if by_level else [(s, row) for s in sizes]
            found = [_compared(scores, size, link, metric) for size, link in cells]
            texts = [_told(one, metric) for one in found]
            wins.update(name for one in found for name in _alone(one, metric))
            if any(text != NOTHING for text in texts):
                grid.rows.append((_row(metric, row, by_level, len(table.links)), texts))
    if not grid.empty:
        counted = ", ".join(f"{name} {n}" for name, n in wins.most_common())
        grid.notes += [f"Best of {wins.total()} comparisons: {counted}.", f"Cells: {MEANING}."]
        yield grid


def _compared(scores: Scores, size: int, link: Link, metric: str) -> list[tuple[Entry, Record]]:
    """The scores of every method at `size`; nothing where there are not two that differ."""
    entries = [e for e in scores.table.entries if dict(e.options).get(SIZE) == size]
    found = [(e, r) for e in entries if (r := scores.of(e, link, metric)) and r.number is not None]
    return found if len({r.number for _, r in found}) > 1 else []


def _winners(found: Sequence[tuple[Entry, Record]], metric: str) -> list[str]:
    """The best method, and those that its interval does not tell from it."""
    if not found:
        return []
    sign = 1 if METRICS[metric].better == "higher" else -1
    first, *others = sorted(found, key=lambda one: -sign * one[1].number)
    low, high = first[1].score.ci95 or (first[1].number,) * 2
    near = [e.family for e, r in others if low <= r.number <= high]
    return [first[0].family, *near]


def _alone(found: Sequence[tuple[Entry, Record]], metric: str) -> list[str]:
    """The best method where no other has the same score."""
    values = [r.number for _, r in found]
    most = (max if METRICS[metric].better == "higher" else min)(values, default=None)
    return [e.family for e, r in found if r.number == most] if values.count(most) == 1 else []


def _told(found: Sequence[tuple[Entry, Record]], metric: str) -> str:
    if not found:
        return NOTHING
    name, *near = _winners(found, metric)
    record = next(r for e, r in found if e.family == name)
    number = text_of(record, METRICS[metric].digits).partition(" ")[0]
    return f"{name} {number}" + (f" ({', '.join(near)})" if near else "")


def _row(metric: str, row: int | Link, by_level: bool, links: int) -> str:
    if by_level:
        return f"{named(metric)}, {row} bytes"
    return f"{named(metric)}, {row.words}" if links > 1 else named(metric)


def _bytes(sizes: Sequence[int]) -> list[str]:
    return [f"{size} bytes" for size in sizes]
