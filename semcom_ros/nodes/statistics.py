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
    """Counts and latencies of one node; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._outputs: deque[tuple[float, float, float]] = deque()

    def count(self, name: str) -> None:
        """Add one to the count `name`."""
        with self._lock:
            self._counts[name] += 1

    def output(self, work_s: float, age_s: float) -> None:
        """Note one output: the seconds of work in it and the age of what it shows."""
        now = time.monotonic()
        with self._lock:
            self._outputs.append((now, work_s, age_s))
            self._forget(now)

    def rate_hz(self) -> float:
        """Outputs a second over the window, 0 when there are none."""
        with self._lock:
            self._forget(time.monotonic())
            return self._rate()

    def snapshot(self) -> dict[str, str]:
        """Counts as integers; rate in Hz, work and age as p50 and p99 in milliseconds."""
        with self._lock:
            self._forget(time.monotonic())
            values = {name: str(n) for name, n in sorted(self._counts.items())}
            values["rate_hz"] = f"{self._rate():.2f}"
            if self._outputs:
                _, work, age = np.array(self._outputs).T * 1000
                for name, times in (("work_ms", work), ("age_ms", age)):
                    p50, p99 = np.percentile(times, (50, 99))
                    values[f"{name}_p50"], values[f"{name}_p99"] = f"{p50:.1f}", f"{p99:.1f}"
        return values

    def _rate(self) -> float:
        if len(self._outputs) < 2:
            return 0.0
        span = self._outputs[-1][0] - self._outputs[0][0]
        return (len(self._outputs) - 1) / span if span > 0 else 0.0

    def _forget(self, now: float) -> None:
        while self._outputs and self._outputs[0][0] < now - WINDOW_S:
            self._outputs.popleft()
