# SPDX-License-Identifier: Apache-2.0
"""What a node tells about itself: how many of what, how fast, how old."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque

import numpy as np

WINDOW_S = 5.0
"""Rates and latencies are those of the last seconds."""


class Statistics:
    """Counts and latencies of one node; every method may be called from any thread.

    whole: what is noted here is noted there, too.
    """

    def __init__(self, whole: Statistics | None = None) -> None:
        self._lock, self._whole = threading.Lock(), whole
        self._counts: Counter[str] = Counter()
        self._outputs: deque[tuple[float, float, float]] = deque()

    def count(self, name: str, by: int = 1) -> None:
        """Add to the count `name`."""
        with self._lock:
            self._counts[name] += by
        if self._whole:
            self._whole.count(name, by)

    def output(self, work_s: float, age_s: float) -> None:
        """Note one output: the seconds of work in it and the age of what it shows."""
        with self._lock:
            self._outputs.append((time.monotonic(), work_s, age_s))
            self._forget_old()
        if self._whole:
            self._whole.output(work_s, age_s)

    def rate_hz(self) -> float:
        """Outputs a second over the window, 0 when there are none."""
        times = self._recent()[:, 0]
        span = times[-1] - times[0] if len(times) else 0
        return float((len(times) - 1) / span) if span > 0 else 0.0

    def snapshot(self) -> dict[str, str]:
        """Counts as integers; rate in Hz, work and age as p50 and p99 in milliseconds."""
        with self._lock:
            values = {name: str(n) for name, n in sorted(self._counts.items())}
        values["rate_hz"] = f"{self.rate_hz():.2f}"
        recent = 1000 * self._recent()
        for name, times in (("work_ms", recent[:, 1]), ("age_ms", recent[:, 2])):
            if len(times):
                p50, p99 = np.percentile(times, (50, 99))
                values[f"{name}_p50"], values[f"{name}_p99"] = f"{p50:.1f}", f"{p99:.1f}"
        return values

    def _recent(self) -> np.ndarray:
        """The outputs of the window: float64 [n, 3] of when, work and age in seconds."""
        with self._lock:
            self._forget_old()
            return np.array(self._outputs).reshape(-1, 3)

    def _forget_old(self) -> None:
        while self._outputs and self._outputs[0][0] < time.monotonic() - WINDOW_S:
            self._outputs.popleft()
