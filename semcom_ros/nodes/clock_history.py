# SPDX-License-Identifier: Apache-2.0
"""When /clock showed what, by the steady clock: what is late is so by a clock that never jumps."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

RECENT = 500
"""Ticks that are remembered: ten seconds of /clock at 50 Hz."""


class ClockHistory:
    """The ticks of /clock as they came, from any thread.

    recent: how many are remembered; None for all.
    """

    def __init__(self, recent: int | None = RECENT) -> None:
        self._ticks = deque[tuple[int, ...]](maxlen=recent)

    def tick(self, shown_ns: int, came_ns: int) -> None:
        """Note that /clock showed `shown_ns` at `came_ns` of the steady clock."""
        if self._ticks and shown_ns < self._ticks[-1][0]:  # a bag that begins anew
            self._ticks.clear()
        self._ticks.append((shown_ns, came_ns))

    def reached(self, stamp_ns: int) -> int | None:
        """When, in ns of the steady clock, the time was `stamp_ns`; None where it is not yet.

        Between two ticks the time went evenly; what was before all of them counts as the first.
        """
        ticks = list(self._ticks)
        at = bisect_left(ticks, (stamp_ns,))
        if at == len(ticks):
            return None
        (shown, came), (shown_before, came_before) = ticks[at], ticks[max(0, at - 1)]
        if shown == shown_before:
            return came
        return came - (came - came_before) * (shown - stamp_ns) // (shown - shown_before)
