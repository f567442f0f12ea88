# SPDX-License-Identifier: Apache-2.0
"""When a node says what it has to say: at once, once a second, or seldom."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import bench  # noqa: E402

from semcom_ros.nodes import reporting  # noqa: E402
from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """What the nodes' reports go by; it stands still."""
    stopped = SimpleNamespace(now=100.0, monotonic=lambda: stopped.now)
    monkeypatch.setattr(reporting, "time", stopped)
    return stopped


def test_what_is_urgent_is_told_at_a_look_each_time_it_begins_and_all_else_once_a_second(clock):
    with bench(ChannelNode) as b:

        def told(said: str) -> list[int]:
            """The looks at which it was told, of one for each letter; capitals are urgent."""
            found = []
            for look, letter in enumerate(said):
                clock.now += reporting.LOOK_S
                if b.node.is_news(letter, letter.isupper(), "/part"):
                    found.append(look)
            return found

        assert told("a" * 16) == [5, 10, 15]
        assert told("aWWaWVVbb") == [1, 4, 5]
        assert told("bbbbb") == [1]


def test_the_rsu_asks_for_a_frame_that_stands_alone_as_soon_as_it_lacks_one(clock):
    with bench(RsuNode, codec="classical", depth="none", detection="none") as b:
        b.up()
        asked: list[str] = []
        b.node.tell = lambda at, level, sentence, values, *name: asked.append(values["refresh"])
        b.node.flow.came()
        b.node.flow.got_through()
        for lacks in (False, True, True):
            b.node.vehicles[""].receiver.memory.lacking = lacks
            clock.now += reporting.LOOK_S
            b.node._report_links()
        assert asked == ["true"]


def test_a_storm_of_complaints_that_are_all_new_does_not_fill_the_log(clock):
    with bench(ChannelNode) as b:
        logged = b.warnings()
        for length in range(5 * reporting.MAX_COMPLAINTS):
            b.node.complain("x" * length)
        assert len(logged) == reporting.MAX_COMPLAINTS
        clock.now += reporting.COMPLAIN_EVERY_S
        b.node.complain("y")
        assert logged[-1] == "y"
