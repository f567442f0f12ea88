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

from semcom_ros.channel.packets.airtime import airtime_s, service_time_s

Item = TypeVar("Item")
REASONS = ("blackout", "failed", "lost", "queue", "stopped")
"""Every reason for which a packet is dropped."""
_NEVER_S = 1e9
"""Longest turn of a packet: finite, so that a share of it can be taken."""


class _Packet(NamedTuple, Generic[Item]):
    """A packet and its luck: the jitter of each of its arrivals in units of the mean jitter."""

    item: Item
    n_bytes: int
    offered_s: float
    jitters: tuple[float, ...]


class _Turn(NamedTuple, Generic[Item]):
    """A packet's turn: it holds the air for a while, and nobody follows it until the end."""

    packet: _Packet[Item]
    begin_s: float
    through_s: float
    end_s: float
    is_through: bool = False


class Delivery(Generic[Item]):
    """The way of packets from the vehicle to the RSU, in pure time.

    settings: those of `semcom_ros.channel.parameters.resolve`, which has checked them.

    A packet meets, in this order:
    - the blackout: whatever is offered in the last `blackout_s` of every `blackout_every_s`
      seconds is lost;
    - the rate: one packet at a time, at `rate_kbps` and at the share of airtime that `access`
      leaves to one of `vehicles_in_range`; `queue` packets may wait, then the one that waits
      longest gives way;
    - the delay: `delay_ms` and a random part of exponential distribution, whose mean and standard
      deviation are `jitter_ms` (what waiting in other people's queues adds). Packets arrive in the
      order of sending, a late one holding up those behind it, unless `reorder` is set;
    - duplication: with probability `duplicate` it arrives once more, with a jitter of its own.

    Blackout, jitter and duplication go by the drive: the same frame of the same drive meets the
    same. Rate, access and queue go by the seconds given, in the node those of the machine's clock:
    what they drop depends on when the frames come.

    At all times offered = delivered + dropped (by reason) + in_flight; `duplicated` counts the
    additional arrivals.
    """

    def __init__(self, settings: SimpleNamespace, seed: int) -> None:
        self._settings, self._seed = settings, seed
        self._waiting: deque[_Packet[Item]] = deque()
        self._turn: _Turn[Item] | None = None
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
        if self._turn is not None and not self._turn.is_through:
            times.append(self._turn.through_s)
        elif self._turn is not None and self._waiting:
            times.append(self._turn.end_s)
        return min(times, default=None)

    def configure(self, settings: SimpleNamespace, now_s: float) -> None:
        """Go on with other settings from `now_s` on.

        What is left of a packet's turn takes as long as it takes at the new rate; what has come
        through arrives as it would have.
        """
        self._serve(now_s)
        before, self._settings = self._settings, settings
        if self._turn is not None:
            packet = self._turn.packet
            share = (now_s - self._turn.begin_s) / _durations(packet.n_bytes, before)[1]
            on_air_s, turn_s = _durations(packet.n_bytes, settings)
            begin_s = now_s - share * turn_s
            self._turn = self._turn._replace(
                begin_s=begin_s,
                through_s=max(now_s, begin_s + on_air_s),
                end_s=begin_s + turn_s,
            )
        self._serve(now_s)
        self._shorten_queue()

    def offer(
        self, now_s: float, item: Item, n_bytes: int, frame: int, drive_s: float | None = None
    ) -> None:
        """Send `item`, which counts for `n_bytes` on the air, at `now_s`, which never goes back.

        frame: its number in the drive, by which its luck is drawn. drive_s: the time by which
        blackouts come, where that is not `now_s`.
        """
        # Its own generator, all of it drawn whatever the settings: neither the frames before, of
        # which the camera may have skipped some, nor another setting change a frame's luck.
        random = np.random.default_rng([self._seed, 4, frame])
        jitters = tuple(random.standard_exponential(2).tolist())
        is_duplicated = random.random() < self._settings.duplicate
        if self._is_blackout(now_s if drive_s is None else drive_s):
            self.drop("blackout")
            return
        self._serve(now_s)
        self.offered += 1
        self._waiting.append(_Packet(item, n_bytes, now_s, jitters[: 1 + is_duplicated]))
        self._serve(now_s)
        self._shorten_queue()

    def drop(self, reason: str) -> None:
        """Count a packet as offered, and as dropped for `reason` before it waits for the air."""
        self.offered += 1
        self.dropped[reason] += 1

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
        self._turn = None
        self._free_s = self._last_arrival_s = -np.inf

    def _is_blackout(self, time_s: float) -> bool:
        every_s = self._settings.blackout_every_s
        return time_s % every_s >= every_s - self._settings.blackout_s

    def _serve(self, now_s: float) -> None:
        """Let packets have their turns as far as they have got by `now_s`."""
        while self._turn is not None or self._waiting:
            if self._turn is None:
                packet = self._waiting.popleft()
                begin_s = max(self._free_s, packet.offered_s)
                on_air_s, turn_s = _durations(packet.n_bytes, self._settings)
                self._turn = _Turn(packet, begin_s, begin_s + on_air_s, begin_s + turn_s)
            if not self._turn.is_through and self._turn.through_s <= now_s:
                self._let_arrive(self._turn.packet, self._turn.through_s)
                self._turn = self._turn._replace(is_through=True)
            if self._turn.end_s > now_s:
                return
            self._free_s = self._turn.end_s
            self._turn = None

    def _let_arrive(self, packet: _Packet[Item], through_s: float) -> None:
        s = self._settings
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


def _durations(n_bytes: int, s: SimpleNamespace) -> tuple[float, float]:
    """Seconds for which a packet holds the air, and those after which the next one may begin.

    The pause until its next turn keeps a vehicle off the air, not its packet on it.
    """
    serial_s = min(8 * n_bytes / (1e3 * s.rate_kbps), _NEVER_S) if s.rate_kbps else 0.0
    on_air_s = airtime_s(n_bytes, s.access, s.snr_db)
    turn_s = service_time_s(n_bytes, s.access, s.vehicles_in_range, s.snr_db)
    return max(serial_s, on_air_s), max(serial_s, turn_s)
