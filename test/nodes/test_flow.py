# SPDX-License-Identifier: Apache-2.0
"""When a node says that nothing gets through it, and why, on a clock that the test turns."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from semcom_ros.nodes import flow as module  # noqa: E402
from semcom_ros.nodes.flow import FIRST_S, Flow  # noqa: E402

LOOK_S = 0.05


class Drive:
    """A flow through which something comes at `rate_hz` and then looks at it are taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, every_s: float = 0.0) -> None:
        self.now = 100.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        monkeypatch.setattr(module, "time", clock)
        self.flow = Flow("payload", every_s)

    def play(self, seconds: float, rate_hz: float, reason: str = "") -> list[str]:
        """What was said, each time that it changed."""
        said, end, due = [""], self.now + seconds, self.now
        while self.now < end:
            if rate_hz and self.now >= due:
                due += 1 / rate_hz
                self.flow.came()
                if reason:
                    self.flow.refused(reason, f"It is {reason}.")
                else:
                    self.flow.got_through()
            trouble = self.flow.trouble()
            if trouble.split(" for ")[0] != said[-1].split(" for ")[0]:
                said.append(trouble)
            self.now += LOOK_S
        return said[1:]


@pytest.mark.parametrize("rate_hz", [0.1, 0.5, 1.0, 3.0, 10.0, 30.0])
def test_a_healthy_drive_is_never_warned_of(monkeypatch, rate_hz: float):
    assert Drive(monkeypatch).play(max(60 / rate_hz, 10), rate_hz) == []


@pytest.mark.parametrize("rate_hz", [3.5, 10.0, 30.0])
@pytest.mark.parametrize(
    ("comes", "reason", "sentence"),
    [
        (False, "", r"no payload has come for 0\.\d s"),
        (True, "lost", r"none of the last \d+ payloads got through \(lost \d+\): It is lost\."),
        (True, "stale", r"none of the last \d+ payloads got through \(stale \d+\): It is stale\."),
    ],
)
def test_silence_and_refusals_are_told_within_a_second(
    monkeypatch, rate_hz: float, comes: bool, reason: str, sentence: str
):
    drive = Drive(monkeypatch)
    drive.play(5, rate_hz)
    assert re.fullmatch(sentence, drive.play(1.0, rate_hz * comes, reason)[0])
    drive.play(30, rate_hz * comes, reason)
    assert drive.flow.trouble()
    drive.play(2 / rate_hz, rate_hz)
    assert drive.flow.trouble() == ""


def test_the_reason_that_prevails_is_told_with_its_sentence(monkeypatch):
    drive = Drive(monkeypatch)
    drive.play(2, 10)
    drive.play(0.5, 10, "model")
    drive.play(2.0, 10, "lost")
    told = r"none of the last \d+ payloads got through \(lost \d+, model \d+\): It is lost\."
    assert re.fullmatch(told, drive.flow.trouble())


def test_one_refused_in_between_is_no_trouble(monkeypatch):
    drive = Drive(monkeypatch)
    for _ in range(20):
        assert drive.play(1.0, 1) == []
        drive.flow.refused("duplicate")


def test_after_a_long_silence_the_next_is_told_as_soon(monkeypatch):
    drive = Drive(monkeypatch)
    drive.play(2, 10)
    drive.play(3600, 0)
    assert drive.play(2, 10) == []
    assert drive.play(1.0, 0)


def test_what_came_and_neither_got_through_nor_was_refused_is_told(monkeypatch):
    drive = Drive(monkeypatch)
    drive.play(2, 10)
    for _ in range(10):
        drive.flow.came()
        drive.now += 0.1
    assert drive.flow.trouble() == "payloads come, and none gets through"


def test_before_the_first_it_is_said_that_none_came_and_after_one_there_is_patience(monkeypatch):
    drive = Drive(monkeypatch)
    assert drive.flow.trouble() == "no payload has come yet"
    assert drive.play(FIRST_S - 1, 0.01) == []
    assert "no payload has come for" in drive.play(2, 0)[0]


def test_a_known_interval_is_waited_for_from_the_beginning(monkeypatch):
    drive = Drive(monkeypatch, every_s=10.0)
    assert drive.play(9, 0) == []
    assert drive.play(2, 0) == ["no payload has come yet"]
