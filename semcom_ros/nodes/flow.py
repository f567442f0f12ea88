# SPDX-License-Identifier: Apache-2.0
"""Whether what comes to a node gets through it, and why not where it does not."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from itertools import pairwise

PATIENCE_S = 0.6
"""Nothing is said of a shorter silence, nor of one shorter than `INTERVALS` of the usual ones."""
INTERVALS = 2
FIRST_S = 12.0
"""Longest interval, and what is allowed to the second one: a camera at 0.1 Hz keeps to it."""
SOME = 3
"""So many in a row that do not get through are no accident."""


class Flow:
    """What came to a node and what went through; every method may be called from any thread.

    what: came, in one word. every_s: the usual interval, 0 where only watching tells it.
    """

    def __init__(self, what: str, every_s: float = 0.0) -> None:
        self.what, self.every_s = what, every_s
        self._lock, self._began = threading.Lock(), time.monotonic()
        self._came: deque[float] = deque(maxlen=5)
        self._through: deque[float] = deque(maxlen=5)
        self._waits_since: float | None = None
        self._refused: Counter[str] = Counter()
        self._sentences: dict[str, str] = {}

    def came(self) -> None:
        """One came in."""
        with self._lock:
            self._came.append(time.monotonic())
            self._waits_since = self._waits_since or self._came[-1]

    def got_through(self) -> None:
        """One went out, or some of what it gives did."""
        with self._lock:
            self._through.append(time.monotonic())
            self._waits_since = None
            self._refused.clear()

    def refused(self, reason: str, sentence: str = "", count: int = 1) -> None:
        """So many will not go out, for `reason`, which `sentence` explains."""
        with self._lock:
            self._refused[reason] += count
            self._sentences[reason] = sentence
            self._waits_since = None

    def trouble(self) -> str:
        """A sentence about why nothing goes out now, "" while something does."""
        with self._lock:
            silence = self._silence(self._through, PATIENCE_S)
            if silence == 0:
                return ""
            total, now = self._refused.total(), time.monotonic()
            if total >= SOME:
                counts = self._refused.most_common()
                reasons = ", ".join(f"{reason} {n}" for reason, n in counts)
                sentence = self._sentences[counts[0][0]]
                told = f": {sentence}" if sentence else ""
                return f"none of the last {total} {self.what}s got through ({reasons}){told}"
            if not self._came:
                early = self.every_s and now - self._began < max(PATIENCE_S, self.every_s)
                return "" if early else f"no {self.what} has come yet"
            silence = self._silence(self._came, FIRST_S)
            if silence:
                return f"no {self.what} has come for {silence:.1f} s"
            if self._waits_since is not None and now - self._waits_since > INTERVALS:
                waits = now - self._waits_since
                return f"{self.what}s come, and none has got through for {waits:.1f} s"
            return ""

    def _silence(self, times: deque[float], first_s: float) -> float:
        """Seconds since the last of `times`, 0 while they are no more than usual."""
        if not times:
            return float("inf")
        gaps = [self.every_s, *(b - a for a, b in pairwise(times))]
        known = len(times) > 1 or self.every_s
        usual = INTERVALS * min(max(gaps), FIRST_S) if known else first_s
        silence = time.monotonic() - times[-1]
        return silence if silence > max(PATIENCE_S, usual) else 0.0
