# SPDX-License-Identifier: Apache-2.0
"""The emulated radio as a node."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from ros_bench import bench, camera_image  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.messages import payload_message  # noqa: E402
from semcom_ros.payload import Header, Part, Payload, pack, unpack  # noqa: E402

SENT, RECEIVED = "camera/image_raw/semcom", "camera/image_raw/semcom/received"
BITS = Part("image", 0, bits=bytes(40))


def payload(sequence: int, part: Part = BITS) -> bytes:
    header = Header("classical", 1, b"", 256, 512, "cityscapes19", sequence, sequence + 1)
    return pack(Payload(header, (part,)))


def test_what_arrives_keeps_its_header_and_what_is_lost_arrives_erased():
    with bench(ChannelNode) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sent = payload_message(camera_image(7).header, "rgb8; semcom classical/1", payload(1))
        sender.publish(sent)
        b.until(lambda: got, "the payload")
        assert got[0] == sent
        assert b.set(loss=1.0) == ""
        assert b.set(channel="iid") == ""
        sender.publish(payload_message(sent.header, sent.format, payload(2)))
        b.until(lambda: len(got) == 2, "the lost payload")
        lost = unpack(bytes(got[1].data))
        assert lost.header.sequence == 2
        assert lost.part("image").erased


def test_bytes_that_are_no_payload_are_carried_as_they_are():
    with bench(ChannelNode) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        sender.publish(payload_message(camera_image().header, "noise", b"no payload"))
        b.until(lambda: got, "the bytes")
        assert bytes(got[0].data) == b"no payload"


def test_a_payload_that_the_radio_cannot_carry_is_counted_and_the_next_goes_out():
    # Finite, but no float32 holds the variance of noise 10 dB below it.
    loud = Part("planes", 0, symbols=np.full(8, 1e38, np.complex64))
    # Below 4 MiB as it is sent, above once every symbol has its noise variance beside it.
    long = Part("planes", 0, symbols=np.ones(450_000, np.complex64))
    with bench(ChannelNode, channel="awgn", snr_db=10.0) as b:
        b.up()
        got = b.listen(CompressedImage, RECEIVED)
        sender = b.speak(CompressedImage, SENT)
        for number, part in enumerate((loud, long), start=1):
            sender.publish(payload_message(camera_image().header, "symbols", payload(number, part)))
            b.until(
                lambda n=number: b.node.statistics.snapshot().get("errors") == str(n), "the error"
            )
        sender.publish(payload_message(camera_image(3).header, "bits", payload(3)))
        b.until(lambda: got, "the next payload")
        assert [m.header.frame_id for m in got] == ["camera_3"]


def test_nothing_is_listened_to_while_nobody_listens():
    with bench(ChannelNode) as b:
        b.up()
        assert not b.node.subscribed
        b.listen(CompressedImage, RECEIVED)
        b.until(lambda: b.node.subscribed, "the node to listen")
        b.tester.destroy_subscription(next(s for s in b.tester.subscriptions))
        b.until(lambda: not b.node.subscribed, "the node to fall idle")


def test_an_unknown_channel_is_refused_with_the_nearest_name():
    with bench(ChannelNode) as b:
        b.up()
        assert "did you mean 'awgn'" in b.set(channel="awgm")
        assert b.set(loss=0.9) == ""
        assert "longer burst" in b.set(channel="gilbert_elliott")
        assert b.node.settings.channel == "none"
