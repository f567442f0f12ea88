# SPDX-License-Identifier: Apache-2.0
"""One thread that works on the newest item: one slot, no queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """Calls `work` with the newest item put, one at a time, in a thread of its own.

    An item that a newer one replaces before its turn, or that is left when the worker stops, goes
    to `superseded`. What `work` raises goes to `failed`, and the next item has its turn.
    warm_up: called first, before the constructor returns, in the same thread as `work`, because
    that is where torch keeps what its first calls prepare.
    """

    def __init__(
        self,
        work: Callable[[Item], None],
        superseded: Callable[[Item], None],
        failed: Callable[[Exception], None],
        warm_up: Callable[[], None] = lambda: None,
    ):
        self._work = work
        self._superseded = superseded
        self._failed = failed
        self._slot: list[Item] = []
        self._changed = threading.Condition()
        self._running = True
        self._warm_up = warm_up
        self._warm = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker")
        self._thread.start()
        self._warm.wait()

    def put(self, item: Item) -> None:
        """Offer `item`; returns at once."""
        with self._changed:
            old, self._slot = self._slot, [item]
            self._changed.notify()
        for dropped in old:
            self._superseded(dropped)

    def stop(self) -> None:
        """Let the item at work finish, drop the one that waits, end the thread."""
        with self._changed:
            self._running = False
            left, self._slot = self._slot, []
            self._changed.notify()
        for dropped in left:
            self._superseded(dropped)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._warm_up()
        except Exception as error:
            self._failed(error)
        finally:
            self._warm.set()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._slot or not self._running)
                if not self._running:
                    return
                item = self._slot.pop()
            try:
                self._work(item)
            except Exception as error:
                self._failed(error)
