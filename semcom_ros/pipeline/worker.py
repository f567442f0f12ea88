# SPDX-License-Identifier: Apache-2.0
"""One thread that works on what waits, in batches of at most one item of each sender."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
MOST_WAITING = 256
"""Items kept by a worker that keeps all; beyond it the oldest gives way."""


class Worker(Generic[Item]):
    """Calls `work` with a batch of what was put, in the order in which it came, in its own thread.

    An item that gives way goes to `superseded`, and so does what is left when the worker stops, or
    comes later.
    What `work` raises goes to `failed`, and the next batch has its turn.
    sender: of an item. newest_wins: a sender's newer item replaces the one that waits; else all
    are kept. most: items of a batch. warm_up: gone through first, in the same thread as `work`,
    because that is where torch keeps what its first calls prepare; items wait meanwhile, and `stop`
    ends it after the step at work. warm: done when that is over.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], None],
        superseded: Callable[[Item], None],
        failed: Callable[[Exception], None],
        warm_up: Callable[[], Iterable[object]] = tuple,
        sender: Callable[[Item], Hashable] = lambda item: None,
        newest_wins: bool = True,
        most: int = 32,
    ):
        self._work, self._superseded, self._failed = work, superseded, failed
        self._sender, self._newest_wins, self._most = sender, newest_wins, most
        self._waiting: list[Item] = []
        self._changed = threading.Condition()
        self._running = True
        self._warm_up = warm_up
        self.warm: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="worker")
        self._thread.start()

    def put(self, item: Item) -> None:
        """Offer `item`; returns at once."""
        own, dropped = self._sender(item), []
        with self._changed:
            if self._newest_wins:
                dropped = [old for old in self._waiting if self._sender(old) == own]
                self._waiting = [old for old in self._waiting if self._sender(old) != own]
            elif len(self._waiting) >= MOST_WAITING:
                dropped = [self._waiting.pop(0)]
            (self._waiting if self._running else dropped).append(item)
            self._changed.notify()
        for old in dropped:
            self._superseded(old)

    def stop(self) -> None:
        """Let the batch at work finish, drop what waits, end the thread."""
        with self._changed:
            self._running = False
            left, self._waiting = self._waiting, []
            self._changed.notify()
        for dropped in left:
            self._superseded(dropped)
        self._thread.join()

    def _next_batch(self) -> list[Item]:
        """The oldest item of each sender that waits."""
        batch: dict[Hashable, Item] = {}
        left = []
        for item in self._waiting:
            own = self._sender(item)
            if own in batch or len(batch) == self._most:
                left.append(item)
            else:
                batch[own] = item
        self._waiting = left
        return list(batch.values())

    def _run(self) -> None:
        try:
            for _ in self._warm_up():
                if not self._running:
                    break
        except Exception as error:
            self._failed(error)
        self.warm.set_result(None)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or not self._running)
                if not self._running:
                    return
                batch = self._next_batch()
            try:
                self._work(batch)
            except Exception as error:
                self._failed(error)
