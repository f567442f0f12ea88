# SPDX-License-Identifier: Apache-2.0
"""Which of what waits is worked on next, so that no vehicle waits for another's flood."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")
MOST_WAITING = 256
"""Items kept of all senders where all are kept; beyond it the oldest of the longest queue gives
way."""
SMOOTHING = 0.25
"""Weight of a batch's time in the estimate of the next."""
TRIED = 0.25
"""What one more is taken to cost, of what those did on average, until other sizes were seen."""
DOUBT = 0.9
"""What becomes of the estimate, each time that nothing could be done in time by it: it may be that
of one slow moment."""


class Schedule(Generic[Item]):
    """What waits, by sender; whose last turn is longest ago comes first. Not safe for threads.

    A batch holds at most one item of a sender, and none of a sender with an item at work.
    sender: of an item. newest_wins: a sender's newer item replaces the one that waits; else all
    wait in order. most: items of a batch. came: when an item came, by `clock` (s). limit_s: asked
    for each batch: how long after that an item is of use, 0 for ever.

    An item that could not be done in time is given up, and a batch is only so large that the oldest
    in it is; the time that it takes is estimated from those before. A limit shorter than what one
    item takes is no limit: nothing would be done at all. Nor is there one for an only sender, from
    whose late items nobody else suffers.
    """

    def __init__(
        self,
        sender: Callable[[Item], Hashable] = lambda item: None,
        newest_wins: bool = True,
        most: int = 32,
        came: Callable[[Item], float] = lambda item: 0.0,
        limit_s: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender, self._newest_wins, self._most = sender, newest_wins, most
        self._came, self._limit_s, self._clock = came, limit_s, clock
        self._waiting: dict[Hashable, deque[Item]] = {}
        self._served: dict[Hashable, int] = {}
        self._at_work: dict[Hashable, float] = {}
        self._turn = 0
        # Of the batches so far: size n, n squared, time t (s) and n t, on average.
        self._batches = 0
        self._averages: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)

    def put(self, item: Item) -> list[Item]:
        """Let `item` wait; returns those that give way to it."""
        own = self._sender(item)
        given_up = []
        if self._newest_wins:
            given_up = [*self._waiting.get(own, ())]
            self._waiting[own] = deque()
        elif sum(map(len, self._waiting.values())) >= MOST_WAITING:
            longest = max(self._waiting, key=lambda one: len(self._waiting[one]))
            given_up = [self._next_of(longest)]
        self._waiting.setdefault(own, deque()).append(item)
        return given_up

    def ready(self) -> bool:
        """Whether something waits that may be taken."""
        return bool(self._line())

    def take(self) -> tuple[list[Item], list[Item]]:
        """The next batch, at work until `done`, and those that are given up."""
        line, now, limit_s = self._line(), self._clock(), self._limit_s()
        given_up: list[Item] = []
        size = min(len(line), self._most)
        several = len(self._served.keys() | self._waiting.keys()) > 1
        if several and 0 < limit_s and (least_s := self.estimate_s(1)) <= limit_s:
            left = {own: self._came(self._waiting[own][0]) + limit_s - now for own in line}
            late = {own for own in line if left[own] < least_s}
            given_up = [self._next_of(own) for own in line if own in late]
            in_time = [own for own in line if own not in late]
            if late and not in_time:
                n, nn, t, nt = self._averages
                self._averages = n, nn, DOUBT * t, DOUBT * nt
            # The most that can be done in time together; who has less time left has to wait.
            line = []
            for size in range(min(len(in_time), self._most), 0, -1):
                line = [own for own in in_time if left[own] >= self.estimate_s(size)]
                if len(line) >= size:
                    break
            size = min(len(line), size)
        for own in line[:size]:
            self._turn += 1
            self._served[own], self._at_work[own] = self._turn, now
        return [self._next_of(own) for own in line[:size]], given_up

    def done(self, batch: list[Item]) -> None:
        """The items of a batch are done; those of their senders may be taken."""
        began = [self._at_work.pop(self._sender(item)) for item in batch]
        took_s, n = self._clock() - began[0], len(batch)
        self._batches += 1
        weight = max(SMOOTHING, 1 / self._batches)
        seen = n, n * n, took_s, n * took_s
        before = self._averages
        self._averages = tuple(a + weight * (b - a) for a, b in zip(before, seen, strict=True))

    def estimate_s(self, size: int) -> float:
        """How long a batch of `size` takes: so much for all, and so much for each, as of late."""
        n, nn, t, nt = self._averages
        if not n:
            return 0.0
        # Where all were of one size, one more may cost less than those did: that is to be tried.
        spread, each = nn - n * n, TRIED * t / n
        if spread > 1e-6:
            each = min(max((nt - n * t) / spread, 0.0), t / n)
        return t + each * (size - n)

    def waits_s(self) -> float:
        """How long the oldest item has waited."""
        heads = [self._came(own[0]) for own in self._waiting.values()]
        return self._clock() - min(heads) if heads else 0.0

    def forget(self, sender: Hashable) -> list[Item]:
        """Remember nothing of `sender`; returns what waited of it."""
        self._served.pop(sender, None)
        return [*self._waiting.pop(sender, ())]

    def clear(self) -> list[Item]:
        """Let nothing wait; returns what did."""
        return [item for own in [*self._waiting] for item in self.forget(own)]

    def _line(self) -> list[Hashable]:
        """Senders with an item that may be taken, in the order of their turns."""
        line = [own for own in self._waiting if own not in self._at_work]
        return sorted(line, key=lambda own: self._served.get(own, 0))

    def _next_of(self, own: Hashable) -> Item:
        item = self._waiting[own].popleft()
        if not self._waiting[own]:
            del self._waiting[own]
        return item
