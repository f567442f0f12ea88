# SPDX-License-Identifier: Apache-2.0
"""The emulated radio as a node: where every packet goes, and that the counts add up."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from channel_bench import RECEIVED, SENT, SYMBOLS, accounted, count, frames, message  # noqa: E402
from ros_bench import bench, camera_image  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.payload import Part  # noqa: E402


def test_bytes_that_are_no_payload_are_lost_like_any_packet_and_counted():
    with bench(ChannelNode, loss=1.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(payload_message(camera_image().header, "noise", b"no payload"))
        b.until(lambda: count(b, "dropped.lost") == 1, "the loss")
        assert (count(b, "packets_lost"), count(b, "offered")) == (1, 1) and accounted(b)
        assert b.set(loss=0.0) == ""
        sender.publish(message(1))
        b.until(lambda: got, "the payload")
        assert frames(got) == ["camera_1"] and accounted(b)


def test_a_payload_that_the_radio_cannot_carry_is_counted_and_the_next_goes_out():
    # Below 4 MiB as it is sent, above once every symbol has its noise variance beside it.
    long = Part("planes", 0, symbols=np.ones(450_000, np.complex64))
    with bench(ChannelNode, channel="awgn", snr_db=10.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(message(1, long))
        b.until(lambda: b.node.statistics.snapshot().get("errors") == "1", "the error")
        sender.publish(message(2, SYMBOLS))
        b.until(lambda: got, "the next payload")
        assert frames(got) == ["camera_2"]
        assert (count(b, "offered"), count(b, "dropped.failed")) == (2, 1) and accounted(b)


@pytest.mark.parametrize("step", ["_channel.transmit", "_delivery.due", "_delivery.configure"])
def test_an_error_of_the_radio_leaves_the_node_up_and_every_packet_accounted_for(
    monkeypatch, step: str
):
    def break_down(*_):
        raise RuntimeError("a broken radio")

    with bench(ChannelNode) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        with monkeypatch.context() as broken:
            owner, name = step.split(".")
            broken.setattr(getattr(b.node, owner), name, break_down)
            sender.publish(message(1))
            b.until(lambda: "errors" in b.node.statistics.snapshot(), "the error")
            assert count(b, "offered") == 1 and accounted(b)
        sender.publish(message(2))
        b.until(lambda: "camera_2" in frames(got), "the next payload")
        assert b.state() == "active"
        assert (count(b, "offered"), count(b, "in_flight")) == (2, 0) and accounted(b)


@pytest.mark.parametrize("rate_kbps", [1e-300, 1e-10])
def test_lifting_a_limit_lets_packets_through_at_once_however_low_it_was(rate_kbps: float):
    with bench(ChannelNode, rate_kbps=rate_kbps) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for number in (1, 2):
            sender.publish(message(number))
            b.until(lambda n=number: count(b, "in_flight") == n, "the payload")
        assert b.set(rate_kbps=0.0) == ""
        assert count(b, "delivered") == 2
        b.until(lambda: len(got) == 2, "the payloads")
        assert b.set(rate_kbps=rate_kbps) == ""
        sender.publish(message(3))
        b.until(lambda: count(b, "in_flight") == 1, "the payload that waits")


def test_a_duplicated_payload_arrives_twice():
    with bench(ChannelNode, duplicate=1.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        b.speak(CompressedImage, SENT).publish(message(1))
        b.until(lambda: len(got) == 2, "both")
        assert got[0] == got[1]
        assert (count(b, "offered"), count(b, "delivered"), count(b, "duplicated")) == (1, 1, 1)


def test_blackouts_come_by_the_frames_of_the_drive_and_are_counted():
    # At 10 Hz, frames 8 s to 10 s after the first are lost, however fast they come here.
    with bench(ChannelNode, blackout_s=2.0, blackout_every_s=10.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for offered, number in enumerate((0, 79, 80, 99, 100), start=1):
            sender.publish(message(number))
            b.until(lambda n=offered: count(b, "offered") == n, "the payload")
        b.until(lambda: len(got) == 3, "the payloads")
        assert frames(got) == ["camera_0", "camera_79", "camera_100"]
        assert count(b, "dropped.blackout") == 2


def test_what_is_in_flight_is_dropped_and_counted_when_the_node_is_deactivated():
    with bench(ChannelNode, delay_ms=10_000, rate_kbps=1.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for number in (1, 2):
            sender.publish(message(number))
            b.until(lambda n=number: count(b, "in_flight") == n, "the payload")
        b.node.trigger_deactivate()
        assert (count(b, "dropped.stopped"), count(b, "in_flight")) == (2, 0)
        assert b.set(delay_ms=0.0, rate_kbps=0.0) == ""
        b.node.trigger_activate()
        b.until(lambda: b.node.subscribed, "the node to listen")
        b.until(sender.get_subscription_count, "a match")
        sender.publish(message(3))
        b.until(lambda: got, "the payload")
        assert frames(got) == ["camera_3"]
