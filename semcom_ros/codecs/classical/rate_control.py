# SPDX-License-Identifier: Apache-2.0
"""Rate control: the last of the ordered operating points that meets a budget."""

from __future__ import annotations

from collections.abc import Callable


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
