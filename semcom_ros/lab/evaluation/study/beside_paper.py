# SPDX-License-Identifier: Apache-2.0
"""The paper's figures and ours side by side, and why they differ."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from semcom_ros.lab.evaluation.study.claims import Claim
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.metrics import METRICS
from semcom_ros.lab.evaluation.study.study_file import CEILING, Entry, Study
from semcom_ros.lab.evaluation.study.tables import NOTHING, Record, Scores, level_of, text_of

COLUMNS = ("table or figure", "what", "paper", "table here", "data", "ours", "why they differ")
NOT_RUN = "not in this run"


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
    links = [k for k in table.links if claim.level in ("", k.level, k.words)]
    found = [(e, k, scores.of(e, k, metric)) for e in rows for k in links]
    others = [_other(scores, claim, e, k) for e, k, _ in found]
    for record in (*(r for *_, r in found), *others):
        if record and isinstance(record.score.value, str) and text_of(record, metric) == NOTHING:
            return record.score.value
    if claim.than or claim.to:
        pairs = [
            (r, o)
            for (*_, r), o in zip(found, others, strict=True)
            if r and o and r.number is not None and o.number is not None
        ]
        return (_ahead(pairs, metric) if claim.than else _shares(pairs, metric)) or NOT_RUN
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


def _other(scores: Scores, claim: Claim, entry: Entry, link: Link) -> Record | None:
    """What a score is told against: another row's, of the same size if it has several, or its own
    at another level."""
    if claim.than:
        rows = _named(scores, claim.than)
        same = [e for e in rows if len(rows) == 1 or e.size in (entry.size, None)]
        return scores.of(same[0], link, claim.metric) if same else None
    ends = [k for k in scores.table.links if claim.to in (k.level, k.words)]
    return scores.of(entry, ends[0], claim.metric) if ends else None


def _ahead(pairs: Sequence[tuple[Record, Record]], metric: str) -> str:
    sign = -1 if METRICS[metric].better == "lower" else 1
    gaps = [sign * (own.number - other.number) for own, other in pairs]
    ahead = f"ahead at {sum(gap > 0 for gap in gaps)} of {len(gaps)}"
    return f"{ahead}, by {np.mean(gaps):+.{METRICS[metric].digits}f} in the mean" if gaps else ""


def _shares(pairs: Sequence[tuple[Record, Record]], metric: str) -> str:
    return "; ".join(
        (f"{own.number / over.number:.2f} " if over.number else "no share ")
        + f"({text_of(own, metric)} over {text_of(over, metric)})"
        for own, over in pairs
    )
