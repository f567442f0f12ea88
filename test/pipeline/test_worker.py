# SPDX-License-Identifier: Apache-2.0
"""The thread that works on the newest item."""

from __future__ import annotations

import queue
import threading
import time

from semcom_ros.pipeline.schedule import Schedule
from semcom_ros.pipeline.worker import Worker


def test_an_item_that_raises_is_reported_and_the_next_has_its_turn():
    done: queue.Queue[str] = queue.Queue()

    def work(batch: list[int]) -> None:
        done.put(f"{1 // batch[0]}")

    worker = Worker(work, lambda _: None, lambda error: done.put(type(error).__name__))
    try:
        worker.put(0)
        assert done.get(timeout=20) == "ZeroDivisionError"
        worker.put(1)
        assert done.get(timeout=20) == "1"
    finally:
        worker.stop()


def batches_of(newest_wins: bool) -> tuple[list[list[tuple[str, int]]], list[tuple[str, int]]]:
    """The batches of what three senders put while the worker was busy, and what gave way."""
    done, dropped, busy, go_on = [], [], threading.Event(), threading.Event()

    def work(batch: list[tuple[str, int]]) -> None:
        busy.set()
        go_on.wait()
        done.append(batch)

    schedule = Schedule(lambda item: item[0], newest_wins)
    worker = Worker(work, dropped.append, done.append, schedule=schedule)
    worker.put(("first", 0))
    busy.wait()
    for item in (("a", 1), ("b", 1), ("a", 2), ("a", 3), ("c", 1)):
        worker.put(item)
    go_on.set()
    while sum(map(len, done)) + len(dropped) < 6:
        time.sleep(0.001)
    worker.stop()
    return done[1:], dropped


def test_the_newest_of_each_sender_wins_where_it_shall():
    done, dropped = batches_of(newest_wins=True)
    assert done == [[("a", 3), ("b", 1), ("c", 1)]]
    assert dropped == [("a", 1), ("a", 2)]


def test_else_all_are_worked_on_in_order_one_of_a_sender_in_a_batch():
    done, dropped = batches_of(newest_wins=False)
    assert done == [[("a", 1), ("b", 1), ("c", 1)], [("a", 2)], [("a", 3)]]
    assert not dropped


def test_what_comes_after_the_end_is_not_forgotten():
    dropped = []
    worker = Worker(dropped.append, dropped.append, dropped.append)
    worker.stop()
    worker.put("late")
    assert dropped == ["late"]


def test_items_wait_for_the_warm_up():
    seen, go_on = [], threading.Event()

    def warm_up():
        go_on.wait()
        seen.append("warm")
        yield

    done = threading.Event()
    worker = Worker(
        lambda batch: (seen.extend(batch), done.set()), seen.append, seen.append, warm_up
    )
    worker.put("item")
    assert not worker.warm.done()
    go_on.set()
    assert done.wait(20) and worker.warm.done()
    worker.stop()
    assert seen == ["warm", "item"]


def test_the_end_does_not_wait_for_more_than_a_step_of_the_warm_up():
    failed, begun = [], threading.Event()

    def endless():
        while True:
            begun.set()
            time.sleep(0.001)
            yield

    worker = Worker(failed.append, failed.append, failed.append, endless)
    begun.wait()
    worker.stop()
    assert worker.warm.done() and not failed


def test_what_fails_to_warm_up_works_all_the_same():
    done: queue.Queue[object] = queue.Queue()
    worker = Worker(done.put, done.put, done.put, lambda: 1 // 0)
    assert isinstance(done.get(timeout=20), ZeroDivisionError)
    worker.put("item")
    assert done.get(timeout=20) == ["item"]
    worker.stop()
