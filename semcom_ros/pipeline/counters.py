# SPDX-License-Identifier: Apache-2.0
"""What became of every payload of one vehicle, counted."""

from __future__ import annotations

import threading
from typing import Any

from semcom_ros.payload import REASONS


class Counters:
    """Counts that always add up: received = decoded + rejected + superseded + in flight.

    Safe to use from the executor's thread and the worker's at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        counts = ("received", "decoded", "superseded", "maps_only", "missing")
        self._counts = dict.fromkeys(counts, 0)
        self._rejected = dict.fromkeys(REASONS, 0)

    def add(self, what: str, count: int = 1) -> None:
        """Count `what`, maps_only (those superseded whose map was decoded) or missing among it."""
        with self._lock:
            self._counts[what] += count

    def reject(self, reason: str) -> None:
        """Count one payload as rejected for `reason`, one of `REASONS`."""
        with self._lock:
            self._rejected[reason] += 1

    def snapshot(self) -> dict[str, Any]:
        """All counts at one moment; `rejected` holds one count for every reason."""
        with self._lock:
            counts, rejected = dict(self._counts), dict(self._rejected)
        done = counts["decoded"] + counts["superseded"] + sum(rejected.values())
        return {**counts, "rejected": rejected, "in_flight": counts["received"] - done}

    def books(self) -> dict[str, int]:
        """The same as numbers that can be summed: those rejected in all, and for each reason."""
        counts = self.snapshot()
        reasons: dict[str, int] = counts.pop("rejected")
        by_reason = {f"rejected.{reason}": n for reason, n in reasons.items()}
        return {**counts, "rejected": sum(reasons.values()), **by_reason}
