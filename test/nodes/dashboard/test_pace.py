# SPDX-License-Identifier: Apache-2.0
"""Who looks on takes less the later the drive is, and no less than one turn a second."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from semcom_ros.nodes.dashboard import pace  # noqa: E402


def latency(p50: float | None) -> dict[str, dict[str, float | None]]:
    return {"labels": {"p50": 40.0, "limit": 100}, "image": {"p50": p50, "limit": 200}}


def set_clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now))


def after(own: pace.Pace, monkeypatch: pytest.MonkeyPatch, *medians: float | None) -> float:
    """The pace after judging these medians of images, each when it is due."""
    for median in medians:
        due = own._judged_at + pace.JUDGED_EVERY_S
        set_clock(monkeypatch, due)
        own.judge([latency(None), latency(median)])
    return own.period_s


def test_pictures_slow_down_while_any_vehicle_is_late_and_come_back(monkeypatch):
    own = pace.Pace(0.2)
    assert after(own, monkeypatch, 199.0, None) == 0.2 and not own.is_slowed
    assert after(own, monkeypatch, 201.0) == pytest.approx(0.3) and own.is_slowed
    assert after(own, monkeypatch, 180.0) == pytest.approx(0.3)
    assert after(own, monkeypatch, *[300.0] * 5) == 1.0
    assert after(own, monkeypatch, *[100.0] * 10) == 0.2 and not own.is_slowed
    set_clock(monkeypatch, own._judged_at + 1.0)
    own.judge([latency(900.0)])
    assert own.period_s == 0.2


def test_who_asked_for_less_than_that_gets_what_was_asked_for(monkeypatch):
    own = pace.Pace(2.0)
    assert after(own, monkeypatch, 900.0, 900.0) == 2.0 and not own.is_slowed
