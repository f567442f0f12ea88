# SPDX-License-Identifier: Apache-2.0
"""The RSU's bookkeeping: which payloads it lets in, and what became of every one."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from semcom_ros.payload import REASONS, Payload, PayloadError, unpack

CLOCK_TOLERANCE_NS = 100_000_000
"""How far the clocks of vehicle and RSU may disagree."""
SNR_HOLDS_NS = 3_000_000_000
"""How long the SNR measured with a payload stands for the link: lost ones bring no other."""
_REMEMBERED = 64


class Counters:
    """Counts that always add up: received = decoded + rejected + superseded + in flight.

    Safe to use from the executor's thread and the worker's at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(("received", "decoded", "superseded", "missing"), 0)
        self._rejected = dict.fromkeys(REASONS, 0)

    def add(self, what: str, count: int = 1) -> None:
        """Count `what`: received, decoded, superseded or missing (never arrived)."""
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


class Receiver:
    """The door of the RSU: `receive` for each packet, then `decoded`, `rejected` or `superseded`.

    codec: the one that the RSU's decoder speaks. max_age_s: older payloads are stale; 0 turns
    the comparison with the RSU's clock off. One thread calls `receive`.
    """

    def __init__(self, codec: str, max_age_s: float = 1.0) -> None:
        self.codec = codec
        self.max_age_s = max_age_s
        self.counters = Counters()
        self._snr_db: float | None = None
        self._measured_ns = self._now_ns = 0
        self._forget()

    def receive(self, data: bytes, now_ns: int) -> Payload:
        """Count, unpack and admit one packet that arrived at `now_ns` of the RSU's clock.

        Raises PayloadError, already counted as rejected.
        """
        self.counters.add("received")
        try:
            payload = unpack(data)
            if payload.snr_db is not None:
                self._snr_db, self._measured_ns = payload.snr_db, now_ns
            self.admit(payload, now_ns)
        except PayloadError as error:
            self.rejected(error)
            raise
        return payload

    def snr_db(self, now_ns: int) -> float | None:
        """The link's estimate with the newest payload that has one, admitted or not.

        None where that is older than `SNR_HOLDS_NS` by the RSU's clock, which shows `now_ns`.
        """
        return self._snr_db if 0 <= now_ns - self._measured_ns <= SNR_HOLDS_NS else None

    def decoded(self) -> None:
        """Count a payload that `receive` let in as decoded to the end."""
        self.counters.add("decoded")

    def superseded(self) -> None:
        """Count a payload that `receive` let in as given up for a newer one."""
        self.counters.add("superseded")

    def rejected(self, error: PayloadError) -> None:
        """Count a payload as rejected; for one that `receive` let in and the decoder did not."""
        self.counters.reject(error.reason)

    def admit(self, payload: Payload, now_ns: int) -> None:
        """Raise PayloadError codec, stale, duplicate, late or lost unless the payload is news."""
        header = payload.header
        header.expect(self.codec)
        # A clock that goes back is a bag that starts again: the old newest would shut all out.
        if now_ns < self._now_ns - CLOCK_TOLERANCE_NS:
            self._forget()
        self._now_ns = now_ns
        overtaken = header.stamp < self._newest_seen_ns
        # A newer number with an older capture: the vehicle runs on, but its camera began again.
        if overtaken and self._last_sequence is not None and header.sequence > self._last_sequence:
            self._forget()
            overtaken = False
        known = header.stamp in self._recent
        if not known:
            self._recent.append(header.stamp)
            self._newest_seen_ns = max(self._newest_seen_ns, header.stamp)
            self._count_missing(header.sequence, overtaken)
        self._check_age(header.stamp, now_ns)
        if known:
            raise PayloadError("duplicate", f"Frame {header.sequence} has arrived before.")
        if header.stamp <= self._newest_ns:
            behind = (self._newest_ns - header.stamp) / 1e9
            raise PayloadError(
                "late", f"Frame {header.sequence} is {behind:.3f} s older than the newest admitted."
            )
        # The rest cannot be decoded without: it must not take the place of a frame that waits.
        first = min((part.importance for part in payload.parts), default=0)
        vital = [part for part in payload.parts if part.importance == first]
        if vital and all(part.erased for part in vital):
            raise PayloadError("lost", f"Frame {header.sequence} was lost on the air.")
        self._newest_ns = header.stamp

    def _forget(self) -> None:
        self._newest_ns = self._newest_seen_ns = -1
        self._last_sequence: int | None = None
        self._recent: deque[int] = deque(maxlen=_REMEMBERED)

    def _check_age(self, stamp: int, now_ns: int) -> None:
        age_ns = now_ns - stamp
        if self.max_age_s and age_ns > self.max_age_s * 1e9:
            raise PayloadError(
                "stale",
                f"The payload is {age_ns / 1e9:.3f} s old, more than max_age_s = "
                f"{self.max_age_s:g}: check the load, the clocks, and use_sim_time for a bag.",
            )
        if self.max_age_s and age_ns < -CLOCK_TOLERANCE_NS:
            raise PayloadError(
                "stale",
                f"The payload was captured {-age_ns / 1e9:.3f} s in the future: "
                "synchronise the clocks of vehicle and RSU.",
            )

    def _count_missing(self, sequence: int, overtaken: bool) -> None:
        last = self._last_sequence
        if overtaken:
            # It was counted as missing when a newer one overtook it, unless that one came first.
            if last is not None and self._first_sequence <= sequence < last:
                self.counters.add("missing", -1)
            return
        # A newer capture with a smaller number: the vehicle was started anew.
        if last is None or sequence <= last:
            self._first_sequence = sequence
        else:
            self.counters.add("missing", sequence - last - 1)
        self._last_sequence = sequence
