# SPDX-License-Identifier: Apache-2.0
"""The paper's figures and ours side by side, and why they differ."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from semcom_ros.lab.evaluation.study.claims import Claim
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.study_file import CEILING, Entry, Study
from semcom_ros.lab.evaluation.study.tables import NOTHING, Record, Scores, level_of, text_of

COLUMNS = ("table or figure", "what", "paper", "table here", "data", "ours", "why they differ")
NOT_RUN = "not in this run"
MOST_TOLD = 3
"""Comparisons that are told one by one."""


class _Pair(NamedTuple):
    """A score of ours, the one that it is held against, and where both stand."""

    place: str
    own: Record
    other: Record


def write_beside(path: Path, study: Study, records: Sequence[Record]) -> list[str]:
    """Write every claim of the study's paper with ours beside it as CSV; the same as Markdown.

    Nothing where the study is of no paper.
    """
    if not study.claims:
        return []
    rows = list(_rows(study, records))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])
    lines = ["", "## The paper and this run", "", f"| {' | '.join(COLUMNS)} |"]
    lines.append("|" + "---|" * len(COLUMNS))
    return [*lines, *(f"| {' | '.join(_told(text) for text in row)} |" for row in rows)]


def _told(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


def _rows(study: Study, records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    for table in study.tables:
        for data in table.data:
            scores = Scores(table, data, records)
            for claim in table.claims:
                about = (claim.source, claim.what, claim.paper, table.title, data)
                yield (*about, ours(scores, claim), claim.why)
    for claim in study.paper:
        yield (claim.source, claim.what, claim.paper, NOTHING, NOTHING, NOTHING, claim.why)


def ours(scores: Scores, claim: Claim) -> str:
    """What a table's scores on one data set say of `claim`, or why they say nothing."""
    table, metric = scores.table, claim.metric
    rows = _named(scores, claim.row)
    links = [k for k in table.links if not claim.level or claim.level in (k.level, k.words)]
    found = [(e, k, scores.of(e, k, metric)) for e in rows for k in links]
    others = [scores.of(e, k, metric) for e in _named(scores, claim.than) for k in links]
    for record in (*(r for *_, r in found), *others):
        if record and isinstance(record.score.value, str) and text_of(record, metric) == NOTHING:
            return record.score.value
    if claim.than:
        pairs = [p for e, k, r in found if (p := _against(scores, claim, e, k, r))]
        return _compared(pairs, metric)
    if claim.to:
        ends = [k for k in table.links if claim.to in (k.level, k.words)]
        over = [(r, scores.number(e, k, metric)) for e, _, r in found for k in ends]
        told = [
            f"{r.number / o.number:.2f} ({text_of(r, metric)} over {text_of(o, metric)})"
            for r, o in over
            if r and o and r.number is not None and o.number
        ]
        return "; ".join(told) or NOT_RUN
    told = [
        (_place(scores, e, k) + ": ") * (len(found) > 1) + text_of(r, metric)
        for e, k, r in found
        if text_of(r, metric) != NOTHING
    ]
    return "; ".join(told) or NOT_RUN


def _named(scores: Scores, name: str) -> list[Entry]:
    return [e for e in (*scores.table.entries, CEILING) if name in (e.title, e.family)]


def _place(scores: Scores, entry: Entry, link: Link) -> str:
    size = [f"{entry.size} bytes"] if entry.size is not None else []
    level = [level_of(link, scores.table.links)] if len(scores.table.links) > 1 else []
    return ", ".join([*size, *level]) or entry.title


def _against(
    scores: Scores, claim: Claim, entry: Entry, link: Link, own: Record | None
) -> _Pair | None:
    """`own` and the score of the row `claim.than`, that of the same size if it has several."""
    rows = _named(scores, claim.than)
    same = [e for e in rows if len(rows) == 1 or e.size in (entry.size, None)]
    other = scores.number(same[0], link, claim.metric) if same else None
    if own is None or own.number is None or other is None:
        return None
    return _Pair(_place(scores, entry, link), own, other)


def _compared(pairs: Sequence[_Pair], metric: str) -> str:
    if not pairs:
        return NOT_RUN
    sign = -1 if METRICS[metric].better == "lower" else 1
    gaps = [sign * (p.own.number - p.other.number) for p in pairs]
    text = f"ahead at {sum(gap > 0 for gap in gaps)} of {len(pairs)}"
    if len(pairs) > MOST_TOLD:
        digits = METRICS[metric].digits
        return f"{text}, by {sum(gaps) / len(gaps):+.{digits}f} in the mean"
    told = (f"{p.place} {text_of(p.own, metric)} against {text_of(p.other, metric)}" for p in pairs)
    return f"{text}: {'; '.join(told)}"
