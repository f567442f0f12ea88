# SPDX-License-Identifier: Apache-2.0
"""What a paper reports, as data of a study, and which score of ours it is held against."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from semcom_ros.errors import SemcomError, choose


@dataclass(frozen=True)
class Claim:
    """A figure of a paper, or what it says without one.

    source: its table, figure or section. what: is told. paper: the figure as printed, or the words.
    why: ours differs. row, metric, level: of our score, by the row's title or its name without its
    size, over every link where no level is named. than: the row that it is held against. to: the
    level over whose score it is told. A claim that names no row is one that no table here holds.
    """

    source: str
    what: str
    paper: str
    why: str
    row: str = ""
    metric: str = ""
    level: str = ""
    than: str = ""
    to: str = ""


_NEEDED, _PLACED = ("source", "what", "paper", "why"), ("row", "metric")


def parse_claims(
    content: Any,
    metrics: Collection[str],
    rows: Collection[str] = (),
    levels: Collection[str] = (),
) -> tuple[Claim, ...]:
    """The claims that a study lists under `paper`. Raises SemcomError.

    rows, levels: names of those in the table that they belong to, none where they belong to none.
    """
    claims = []
    for one in content or ():
        if not isinstance(one, Mapping):
            raise SemcomError(f"Under paper, {one!r} stands where 'name: value' pairs belong.")
        for key in one:
            choose(str(key), [f.name for f in fields(Claim)], "key of a claim")
        for key in (*_NEEDED, *(_PLACED if rows else ())):
            if not one.get(key):
                raise SemcomError(f"A claim of the paper lacks '{key}': {dict(one)}.")
        claim = Claim(**{key: str(value) for key, value in one.items()})
        for name, known, what in (
            (claim.row, rows, "row"), (claim.than, rows, "row"), (claim.level, levels, "level"),
            (claim.to, levels, "level"), (claim.metric, metrics, "metric"),
        ):  # fmt: skip
            if name:
                choose(name, known, f"{what} to hold a paper against")
        claims.append(claim)
    return tuple(claims)
