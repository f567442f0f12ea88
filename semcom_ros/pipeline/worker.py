# SPDX-License-Identifier: Apache-2.0
"""Threads that work on what waits, in batches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from typing import Generic

from semcom_ros.pipeline.schedule import Item, Schedule

HOLD_S = 0.005
"""How soon a worker that is held looks whether it still is."""


class Worker(Generic[Item]):
    """Calls `work` with each batch of what was put, as the `schedule` has it, in its own thread.

    An item that gives way goes to `superseded`, and so does what is left when the worker stops, or
    comes later.
    What `work` raises goes to `failed`, and the next batch has its turn.
    warm_up: gone through first, in the same thread as `work`, because that is where torch keeps
    what its first calls prepare; items wait meanwhile, and `stop` ends it after the step at work.
    warm: done when that is over. threads: that work at once, each on a batch of its own. held:
    whether to begin nothing now.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], None],
        superseded: Callable[[Item], None],
        failed: Callable[[Exception], None],
        warm_up: Callable[[], Iterable[object]] = tuple,
        schedule: Schedule[Item] | None = None,
        threads: int = 1,
        held: Callable[[], bool] = lambda: False,
    ):
        self._work, self._superseded, self._failed = work, superseded, failed
        self._schedule: Schedule[Item] = schedule or Schedule()
        self._changed = threading.Condition()
        self._running, self._held = True, held
        self._warm_up = warm_up
        self.warm: Future[None] = Future()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="worker")
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, item: Item) -> None:
        """Offer `item`; returns at once."""
        with self._changed:
            dropped = self._schedule.put(item) if self._running else [item]
            self._changed.notify()
        for old in dropped:
            self._superseded(old)

    def waits_s(self) -> float:
        """How long the oldest item has waited."""
        with self._changed:
            return self._schedule.waits_s()

    def forget(self, sender: Hashable) -> None:
        """Drop what waits of `sender`, and remember nothing of it."""
        with self._changed:
            left = self._schedule.forget(sender)
        for dropped in left:
            self._superseded(dropped)

    def stop(self) -> None:
        """Let the batches at work finish, drop what waits, end the threads."""
        with self._changed:
            self._running = False
            left = self._schedule.clear()
            self._changed.notify_all()
        for dropped in left:
            self._superseded(dropped)
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        if number:
            self.warm.result()
        else:
            try:
                for _ in self._warm_up():
                    if not self._running:
                        break
            except Exception as error:
                self._failed(error)
            self.warm.set_result(None)
        while True:
            with self._changed:
                while self._running and (self._held() or not self._schedule.ready()):
                    self._changed.wait(HOLD_S if self._schedule.ready() else None)
                if not self._running:
                    return
                batch, dropped = self._schedule.take()
            for item in dropped:
                self._superseded(item)
            if not batch:
                continue
            try:
                self._work(batch)
            except Exception as error:
                self._failed(error)
            with self._changed:
                self._schedule.done(batch)
                self._changed.notify()
