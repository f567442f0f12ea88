# SPDX-License-Identifier: Apache-2.0
"""How often pages are shown something: seldom where looking on slows down who drives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

SLOWEST_S = 1.0
"""From one turn to the next at most, where `pictures_hz` does not ask for less."""
JUDGED_EVERY_S = 5.0
"""Latencies are those of the last ten seconds: a change shows in about half of that."""
SLOWER, FASTER, WELL_BELOW = 1.5, 0.8, 0.8
"""Factors of the time between turns, and below which share of all limits it may shrink again."""


class Pace:
    """Time between turns: `usual_s`, and more while medians of latencies pass their limits."""

    def __init__(self, usual_s: float) -> None:
        self.usual_s = self.period_s = usual_s
        self._judged_at = time.monotonic()

    @property
    def is_slowed(self) -> bool:
        return self.period_s > self.usual_s

    def judge(self, latencies: Sequence[dict[str, dict[str, Any]]]) -> None:
        """Set `period_s` by what vehicles' heads tell of latencies, now and then."""
        now = time.monotonic()
        if now - self._judged_at < JUDGED_EVERY_S:
            return
        self._judged_at = now
        shares = [
            one["p50"] / one["limit"] for of in latencies for one in of.values() if one["p50"]
        ]
        worst = max(shares, default=0.0)
        if worst > 1:
            slower = min(self.period_s * SLOWER, SLOWEST_S)
            self.period_s = max(slower, self.usual_s)
        elif worst < WELL_BELOW:
            self.period_s = max(self.period_s * FASTER, self.usual_s)
