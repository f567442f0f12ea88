# SPDX-License-Identifier: Apache-2.0
"""Rate control: the operating point that comes nearest to a budget from below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

TOLERANCE = 0.02
"""Share of a budget that may stay unused before another try is worth its time."""
_TRIES = 10
_ABOVE = 0.995
"""Where a try aims at, as a share of the budget: just under it."""
Coded = TypeVar("Coded")


class Aimed(NamedTuple, Generic[Coded]):
    """best: what came nearest to the budget from below, or None. least: bytes that were possible.

    bytes: those of `best`, or of the least.
    """

    best: Coded | None
    bytes: float
    least: float


def largest(count: int, fits: Callable[[int], bool], start: int) -> int | None:
    """The largest of 0 .. count - 1 that fits, where all below it do; None where none does.

    Goes from `start` in growing steps and then halves the range, so that a good guess costs two
    tries. The point given has itself been tried and fits, even where bytes do not always grow.
    """
    good, bad, step = -1, count, 1
    at = start
    while bad - good > 1:
        if fits(at):
            good, at = at, at + step
        else:
            bad, at = at, at - step
        step *= 2
        at = (good + bad) // 2 if good >= 0 and bad < count else min(max(at, 0), count - 1)
    return good if good >= 0 else None


def aim(code: Callable[[float], tuple[Coded, float]], budget: float) -> Aimed[Coded]:
    """What takes at most `budget`, and at least that less `TOLERANCE` where a target leads there.

    code: a target in bytes to what was coded and the bytes it takes, which grow about as the
    target does. After `_TRIES` tries the best so far is given.
    """
    low, high = 0.0, float("inf")
    best, best_bytes, least = None, 0.0, float("inf")
    target = float(budget)
    for _ in range(_TRIES):
        coded, size = code(target)
        least = min(least, size)
        if size <= budget:
            low = max(low, target)
            if size > best_bytes:
                best, best_bytes = coded, size
        else:
            high = min(high, target)
        if best_bytes >= (1 - TOLERANCE) * budget:
            break
        target *= _ABOVE * budget / size
        if not low < target < high:
            target = (low + high) / 2 if high < float("inf") else 2 * low
    return Aimed(best, best_bytes if best is not None else least, least)
