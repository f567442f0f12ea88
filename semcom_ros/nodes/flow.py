# SPDX-License-Identifier: Apache-2.0
"""Whether what comes to a node gets through it, and why not where it does not."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from itertools import pairwise

PATIENCE_S, INTERVALS = 0.6, 2.5
"""Nothing is said of a shorter silence, nor of one of fewer of the usual intervals."""
FIRST_S = 12.0
"""Longest interval, and what is allowed to the second one: a camera at 0.1 Hz keeps to it."""
SOME = 3
"""So many in a row that do not get through need no interval to be seen."""


class Flow:
    """What came to a node and what went through; every method may be called from any thread.

    what: came, in one word. every_s: the usual interval, 0 where only watching tells it.
    """

    def __init__(self, what: str, every_s: float = 0.0) -> None:
        self.what, self.every_s = what, every_s
        self._lock, self._began = threading.Lock(), time.monotonic()
        self._came: deque[float] = deque(maxlen=5)
        self._through: deque[float] = deque(maxlen=5)
        self._refused: Counter[str] = Counter()
        self._sentences: dict[str, str] = {}

    def came(self) -> None:
        """One came in."""
        with self._lock:
            self._came.append(time.monotonic())

    def got_through(self) -> None:
        """One went out, or some of what it gives did."""
        with self._lock:
            self._through.append(time.monotonic())
            self._refused.clear()

    def refused(self, reason: str, sentence: str = "", count: int = 1) -> None:
        """So many will not go out, for `reason`, which `sentence` explains."""
        with self._lock:
            self._refused[reason] += count
            self._sentences[reason] = f": {sentence}" if sentence else ""

    def trouble(self) -> str:
        """A sentence about why nothing goes out now, "" while something does."""
        with self._lock:
            total = self._refused.total()
            if not self._silence(self._through, FIRST_S if total < SOME else PATIENCE_S):
                return ""
            if not self._came:
                early = self.every_s and time.monotonic() - self._began < PATIENCE_S + self.every_s
                return "" if early else f"no {self.what} has come yet"
            silence = self._silence(self._came, FIRST_S)
            if silence:
                return f"no {self.what} has come for {silence:.1f} s"
            if not total:
                return f"{self.what}s come, and none gets through"
            (reason, _), *_ = counts = self._refused.most_common()
            reasons = ", ".join(f"{name} {n}" for name, n in counts)
            told = self._sentences[reason]
            return f"none of the last {total} {self.what}s got through ({reasons}){told}"

    def _silence(self, times: deque[float], first_s: float) -> float:
        """Seconds since the last of `times`, 0 while they are no more than usual."""
        if not times:
            return float("inf")
        gaps = [self.every_s, *(b - a for a, b in pairwise(times))]
        known = len(times) > 1 or self.every_s
        usual = INTERVALS * min(max(gaps), FIRST_S) if known else first_s
        silence = time.monotonic() - times[-1]
        return silence if silence > max(PATIENCE_S, usual) else 0.0
