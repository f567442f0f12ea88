# SPDX-License-Identifier: Apache-2.0
"""The thread that works on the newest item."""

from __future__ import annotations

import queue

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from semcom_ros.nodes.worker import Worker  # noqa: E402


def test_an_item_that_raises_is_reported_and_the_next_has_its_turn():
    done: queue.Queue[str] = queue.Queue()

    def work(item: int) -> None:
        done.put(f"{1 // item}")

    worker = Worker(work, lambda _: None, lambda error: done.put(type(error).__name__))
    try:
        worker.put(0)
        assert done.get(timeout=20) == "ZeroDivisionError"
        worker.put(1)
        assert done.get(timeout=20) == "1"
    finally:
        worker.stop()
