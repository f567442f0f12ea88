# SPDX-License-Identifier: Apache-2.0
"""What happens to a packet on its way: waiting for the air, blackout, delay, jitter, duplication.

It lives on the seconds that the caller gives: no clock, no thread, so tests and studies need not
wait for anything.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from types import SimpleNamespace
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from semcom_ros.channel.airtime import airtime_s, service_time_s

Item = TypeVar("Item")
REASONS = ("blackout", "queue", "stopped")
"""Every reason for which a packet is dropped."""


class _Packet(NamedTuple, Generic[Item]):
    """A packet and its luck: the jitter of each of its arrivals in units of the mean jitter."""

    item: Item
    n_bytes: int
    jitters: tuple[float, ...]


class Delivery(Generic[Item]):
    """The way of packets from the vehicle to the RSU, in pure time.

    settings: those of `semcom_ros.channel.parameters.resolve`, which has checked them.

    A packet meets, in this order:
    - the blackout: whatever is offered in the last `blackout_s` of every `blackout_every_s`
      seconds is lost;
    - the rate: one packet at a time, at `rate_kbps` and at the share of airtime that `access`
      leaves to one of `vehicles`; `queue` packets may wait, then the one that waits longest gives
      way;
    - the delay: `delay_ms` and a random part of exponential distribution, whose mean and standard
      deviation are `jitter_ms` (what waiting in other people's queues adds). Packets arrive in the
      order of sending, a late one holding up those behind it, unless `reorder` is set;
    - duplication: with probability `duplicate` it arrives once more, with a jitter of its own.

    At all times offered = delivered + dropped (by reason) + in_flight; `duplicated` counts the
    additional arrivals.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        self._settings = settings
        self._random = np.random.default_rng([seed, 4])
        self._waiting: deque[_Packet[Item]] = deque()
        # When it arrives, a number that settles ties, whether it is the copy, what arrives.
        self._coming: list[tuple[float, int, bool, Item]] = []
        self._sent = 0
        self._free_s = self._last_arrival_s = -np.inf
        self.offered = self.delivered = self.duplicated = 0
        self.dropped: Counter[str] = Counter(dict.fromkeys(REASONS, 0))

    @property
    def in_flight(self) -> int:
        """Packets that wait or are on their way."""
        return self.offered - self.delivered - self.dropped.total()

    @property
    def next_s(self) -> float | None:
        """When `due` is to be asked next; None while nothing is in flight."""
        times = [arrival_s for arrival_s, *_ in self._coming[:1]]
        if self._waiting:
            times.append(self._free_s)
        return min(times, default=None)

    def configure(self, settings: SimpleNamespace) -> None:
        """Go on with other settings; what is on its way already arrives as it would have."""
        self._settings = settings
        self._shorten_queue()

    def offer(self, now_s: float, item: Item, n_bytes: int, drive_s: float | None = None) -> None:
        """Send `item`, which counts for `n_bytes` on the air, at `now_s`, which never goes back.

        drive_s: the time by which blackouts come, where that is not `now_s`.
        """
        self._serve(now_s)
        self.offered += 1
        # Drawn for each packet whatever the settings: one of them does not change the rest's luck.
        jitter, copy_jitter = self._random.standard_exponential(2).tolist()
        is_duplicated = self._random.random() < self._settings.duplicate
        if self._is_blackout(now_s if drive_s is None else drive_s):
            self.dropped["blackout"] += 1
            return
        jitters = (jitter, copy_jitter) if is_duplicated else (jitter,)
        self._waiting.append(_Packet(item, n_bytes, jitters))
        if self._free_s <= now_s:
            self._send(now_s)
        self._shorten_queue()

    def due(self, now_s: float) -> list[Item]:
        """What has arrived by `now_s` and was not given out before, in the order of arrival."""
        self._serve(now_s)
        arrived = []
        while self._coming and self._coming[0][0] <= now_s:
            _, _, is_copy, item = heapq.heappop(self._coming)
            self.delivered += not is_copy
            self.duplicated += is_copy
            arrived.append(item)
        return arrived

    def clear(self) -> None:
        """Drop whatever is in flight, for the reason "stopped"."""
        self.dropped["stopped"] += self.in_flight
        self._waiting.clear()
        self._coming.clear()
        self._free_s = self._last_arrival_s = -np.inf

    def _is_blackout(self, time_s: float) -> bool:
        every_s = self._settings.blackout_every_s
        return time_s % every_s >= every_s - self._settings.blackout_s

    def _serve(self, now_s: float) -> None:
        """Send what waits and could begin by `now_s`."""
        while self._waiting and self._free_s <= now_s:
            self._send(self._free_s)

    def _send(self, begin_s: float) -> None:
        """Let the packet that waits longest go on air at `begin_s`."""
        packet, s = self._waiting.popleft(), self._settings
        serial_s = 8 * packet.n_bytes / (1e3 * s.rate_kbps) if s.rate_kbps else 0.0
        shared_s = service_time_s(packet.n_bytes, s.access, s.vehicles, s.snr_db)
        self._free_s = begin_s + max(serial_s, shared_s)
        # The pause until its next turn keeps a vehicle off the air, not its packet on it.
        through_s = begin_s + max(serial_s, airtime_s(packet.n_bytes, s.access, s.snr_db))
        for copy, jitter in enumerate(packet.jitters):
            arrival_s = through_s + (s.delay_ms + s.jitter_ms * jitter) / 1e3
            if not s.reorder:
                arrival_s = max(arrival_s, self._last_arrival_s)
            self._last_arrival_s = max(arrival_s, self._last_arrival_s)
            self._sent += 1
            heapq.heappush(self._coming, (arrival_s, self._sent, bool(copy), packet.item))

    def _shorten_queue(self) -> None:
        while len(self._waiting) > self._settings.queue:
            self._waiting.popleft()
            self.dropped["queue"] += 1
