# SPDX-License-Identifier: Apache-2.0
"""What the timeline says of each frame."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import camera_image  # noqa: E402

from semcom_ros.nodes.dashboard.crossings import LATE_S, WINDOW_S, Crossings  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.payload import Header, Part, Payload, pack  # noqa: E402

PARTS = (Part("map", 0, bits=bytes(40)), Part("picture", 1, bits=bytes(60)))
AGE, BYTES, OF, LOST, OUTCOME, SNR = range(6)


def message(*lost: str, snr_db: float | None = None):
    header = Header("gesco", 1, b"", 256, 512, "cityscapes19", 1, 1)
    parts = tuple(Part(p.name, p.importance, erased=True) if p.name in lost else p for p in PARTS)
    payload = Payload(header, parts, snr_db)
    return payload_message(camera_image(1).header, "rgb8; semcom gesco/1", pack(payload))


def ago(seconds: float) -> int:
    return time.time_ns() - round(seconds * 1e9)


@pytest.mark.parametrize(
    ("lost", "outcome"), [((), "arrived"), (("picture",), "damaged"), (("map", "picture"), "lost")]
)
def test_a_frame_arrives_is_damaged_or_is_lost(lost, outcome):
    crossings = Crossings()
    sent, received = message(), message(*lost, snr_db=12.34)
    received.header = sent.header
    crossings.sent(sent, ago(0.5))
    crossings.arrived(received, ago(0.4))
    (frame,) = crossings.timeline()
    assert frame[BYTES:] == [len(sent.data), 2, len(lost), outcome, 12.3]
    assert frame[AGE] == pytest.approx(0.5, abs=0.2)
    assert crossings.codec == "gesco"
    assert (crossings.newest > 0) == (outcome != "lost")
    assert crossings.totals()["lost"] == (outcome == "lost")


def test_what_has_not_come_for_long_is_lost_and_what_left_the_window_is_forgotten():
    crossings = Crossings()
    crossings.sent(message(), ago(0.1))
    crossings.sent(message(), ago(LATE_S + 1))
    crossings.sent(message(), ago(WINDOW_S + 1))
    assert [frame[OUTCOME] for frame in crossings.timeline()] == ["sent", "lost"]
    assert crossings.totals()["lost"] == 0.5


def test_of_no_frames_no_share_is_lost():
    assert Crossings().totals()["lost"] is None


def test_bytes_that_are_no_payload_are_counted_and_are_damaged():
    crossings, noise = Crossings(), message()
    noise.data = noise.data[:30]
    crossings.sent(noise, ago(0.1))
    crossings.arrived(noise, ago(0.0))
    assert crossings.timeline()[0][BYTES:SNR] == [30, 0, 1, "damaged"]
