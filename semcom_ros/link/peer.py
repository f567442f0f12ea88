# SPDX-License-Identifier: Apache-2.0
"""The other end of a UDP link as this end knows it: what came of it, how fast, how late."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from semcom_ros.link.datagram import UNKNOWN, Datagram, Piece
from semcom_ros.link.fragments import Reassembly

REACH, WINDOW = 2**14, 1024
"""A number further from the newest than the first is of a sender that began anew; of one further
behind than the second nobody knows whether it came before."""
INTERVAL_S = 1.0
"""Loss is counted so long, then smoothed over eight times that."""
LEAST_COST, OF_IP = 512, 48
"""Bytes that a datagram counts for at least where it comes in, for short ones cost as much work,
and what IPv6 and UDP add to it on the wire."""
Address = tuple[Any, ...]
"""As the socket module has it."""


class TokenBucket:
    """So many kbit/s on average, and `burst` bytes at once."""

    def __init__(self, kbps: float, burst: float, now_s: float) -> None:
        self._per_s, self._burst = 125.0 * kbps, burst
        self._held, self._at_s = burst, now_s

    def wait_s(self, n_bytes: int, now_s: float) -> float:
        """Seconds until so many bytes may be taken; 0 where they may now."""
        earned = self._per_s * max(now_s - self._at_s, 0.0)
        self._held, self._at_s = min(self._burst, self._held + earned), now_s
        return max(0.0, (min(n_bytes, self._burst) - self._held) / self._per_s)

    def take(self, n_bytes: int, now_s: float) -> bool:
        """Take so many bytes, if they are there."""
        if self.wait_s(n_bytes, now_s):
            return False
        self._held -= n_bytes
        return True


class Peer:
    """One other end, known by its `session`; one thread uses it.

    kbps: what it may send. vehicle: the number in its payloads, None before the first. rtt_ms:
    smoothed as TCP's, None before the first echo. loss_here, loss_there: shares of datagrams that
    did not come from it, and to it; None where not known. counts: gets the datagrams received, lost
    and refused, by reason.
    """

    def __init__(
        self, session: bytes, address: Address, kbps: float, now_s: float, counts: Counter[str]
    ) -> None:
        self.session, self.address, self.heard_s = session, address, now_s
        self.sent_s, self.bytes_out, self.bytes_in = -INTERVAL_S, 0, 0
        self.vehicle: int | None = None
        self.rtt_ms: float | None = None
        self.loss_here: float | None = None
        self.loss_there: float | None = None
        self.messages, self.counts = Reassembly(counts), counts
        self._may = TokenBucket(kbps, max(125 * kbps / 2, 2 * LEAST_COST), now_s)
        self._next = int.from_bytes(os.urandom(4))
        self._newest, self._seen = -1, 0
        self._sent_us = self._came_us = 0
        self._interval_s, self._due, self._got = now_s, 0, 0

    def datagram(self, kind: int, piece: Piece, now_us: int) -> bytes:
        """The bytes of the next datagram to it, which is sent at once."""
        if now_us / 1e6 - self._interval_s >= INTERVAL_S:
            if self._due:
                share = 1 - min(self._got / self._due, 1.0)
                before = share if self.loss_here is None else self.loss_here
                self.loss_here = before + (share - before) / 8
            self._interval_s, self._due, self._got = now_us / 1e6, 0, 0
        held_us = (now_us - self._came_us) % 2**32 if self._newest >= 0 else 0
        loss = UNKNOWN if self.loss_here is None else round(self.loss_here * (UNKNOWN - 1))
        sequence, self._next = self._next, (self._next + 1) % 2**32
        head = (sequence, now_us % 2**32, self._sent_us, held_us, loss)
        data = Datagram(kind, self.session, *head, piece).pack()
        self.sent_s, self.bytes_out = now_us / 1e6, self.bytes_out + len(data)
        return data

    def take(self, one: Datagram, address: Address, size: int, came_us: int) -> bool:
        """Whether a datagram that came at `came_us` is news; by the newest it is measured, and
        answered where that came from."""
        now_s = came_us / 1e6
        if not self._may.take(max(size + OF_IP, LEAST_COST), now_s):
            return self._refused("flood")
        ahead = _signed(one.sequence - self._newest)
        anew = self._newest < 0 or abs(ahead) > REACH
        if not anew and ahead <= 0:
            if -ahead >= WINDOW:
                return self._refused("late")
            if self._seen >> -ahead & 1:
                return self._refused("duplicate")
        self.heard_s, self.bytes_in = now_s, self.bytes_in + size
        self.counts["received"] += 1
        self._got += 1
        if not anew and ahead < 0:
            self._seen |= 1 << -ahead
            self.counts["lost"] -= 1
            return True
        missing = 0 if anew else ahead - 1
        self.counts["lost"] += missing
        self._due += missing + 1
        self._seen = 1 if anew else (self._seen << ahead | 1) % 2**WINDOW
        self._newest, self.address = one.sequence, address
        self._sent_us, self._came_us = one.sent_us, came_us
        self.loss_there = None if one.loss == UNKNOWN else one.loss / (UNKNOWN - 1)
        if one.echo_us or one.held_us:
            # Where the system's clock was set meanwhile, less than nothing.
            rtt_ms = max(_signed(came_us - one.echo_us - one.held_us), 0) / 1e3
            self.rtt_ms = (
                rtt_ms if self.rtt_ms is None else self.rtt_ms + (rtt_ms - self.rtt_ms) / 8
            )
        return True

    def _refused(self, reason: str) -> bool:
        self.counts[f"refused.{reason}"] += 1
        return False


def _signed(difference: int) -> int:
    """A difference of two numbers modulo 2^32, by the shorter way."""
    return (difference + 2**31) % 2**32 - 2**31
