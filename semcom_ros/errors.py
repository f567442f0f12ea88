# SPDX-License-Identifier: Apache-2.0
"""Errors whose text is a sentence for the user: what is wrong, where, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


NO_CLOCK = (
    "use_sim_time is on and no /clock has come yet: start what tells the time, as ros2 bag play "
    "--clock does"
)


def printable(text: str) -> str:
    """`text` on one line, with an escape for whatever could move a cursor or forge a log's line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class SemcomError(ValueError):
    """Something that the user can put right; command line and nodes print its text as it is.

    The sentence may quote what others chose, such as names in a payload or of files: it is made
    `printable` here.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence))


def given(value: T | None) -> T:
    """`value`, where what calls has made sure that it is there."""
    assert value is not None
    return value


def choose(name: str, choices: Iterable[str], what: str) -> str:
    """Return `name` if it is one of `choices`, else raise with the nearest valid choice named.

    `what` is the noun of the sentence ("codec", "channel"). Raises SemcomError.
    """
    valid = sorted(choices)
    if name in valid:
        return name
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise SemcomError(f"There is no {what} '{name}': {hint}Valid: {', '.join(valid)}.")
