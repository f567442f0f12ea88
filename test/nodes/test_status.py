# SPDX-License-Identifier: Apache-2.0
"""What nodes say of themselves is true: nothing comes, all is refused, neighbours, no clock."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

import rclpy  # noqa: E402
from channel_bench import SENT, message  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from rclpy.clock import Clock  # noqa: E402
from rclpy.clock_type import ClockType  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from rsu_bench import RECEIVED, arrival  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.channel import Channel  # noqa: E402
from semcom_ros.errors import NO_CLOCK, SemcomError  # noqa: E402
from semcom_ros.frame import Frame  # noqa: E402
from semcom_ros.nodes.camera_node import CameraNode  # noqa: E402
from semcom_ros.nodes.channel_node import ChannelNode  # noqa: E402
from semcom_ros.nodes.messages import data_of, payload_message  # noqa: E402
from semcom_ros.nodes.node_base import SemcomNode  # noqa: E402
from semcom_ros.nodes.rsu_node import RsuNode  # noqa: E402
from semcom_ros.nodes.vehicle_node import VehicleNode  # noqa: E402
from semcom_ros.payload import Payload, pack, unpack  # noqa: E402

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN


def statuses(b: Bench, topic: str = "/diagnostics") -> Callable[[], tuple[bytes, str]]:
    """Level and sentence of the newest status on `topic`."""
    got = b.listen(DiagnosticArray, topic)
    b.until(lambda: got, f"a status on {topic}")
    return lambda: (got[-1].status[0].level, got[-1].status[0].message)


def sends(b: Bench, kind: type, topic: str, make: Callable[[int], object]) -> Callable[[], None]:
    """Publishes messages at 20 Hz until what is returned is called."""
    publisher, numbers = b.speak(kind, topic), count(1)
    clock = Clock(clock_type=ClockType.STEADY_TIME)  # the simulation may stand still
    timer = b.tester.create_timer(0.05, lambda: publisher.publish(make(next(numbers))), clock=clock)

    def stop() -> None:
        b.tester.destroy_timer(timer)
        b.tester.destroy_publisher(publisher)

    return stop


def until(b: Bench, last: Callable[[], tuple], level: bytes, words: str) -> None:
    b.until(lambda: last()[0] == level and re.search(words, last()[1]), f"'{words}'")


def erased(number: int) -> CompressedImage:
    sent = arrival(number)
    return again(sent, Channel(loss=1.0).transmit(unpack(bytes(sent.data))))


def again(sent: CompressedImage, payload: Payload) -> CompressedImage:
    return payload_message(sent.header, sent.format, pack(payload))


def foreign(number: int) -> CompressedImage:
    sent = arrival(number)
    sent.data = data_of(b"garbage" * 30)
    return sent


def old(number: int) -> CompressedImage:
    header = camera_image(number).header
    header.stamp.sec -= 60
    return arrival(number, header)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (erased, r"none of the last \d+ payloads got through \(lost \d+\): Frame \d+ was lost"),
        (foreign, r"\(malformed \d+\): The bytes are no semcom payload"),
        (old, r"\(stale \d+\): The payload is 60\.\d+ s old"),
    ],
)
def test_the_rsu_and_its_report_of_the_link_say_what_becomes_of_payloads(make, words):
    with bench(RsuNode, codec="classical", depth="none", detection="none") as b:
        b.up()
        own, link = statuses(b), statuses(b, "rsu/link")
        until(b, own, WARN, "^no payload has come yet$")
        until(b, link, WARN, "^no payload has come yet$")
        stop = sends(b, CompressedImage, RECEIVED, arrival)
        until(b, own, OK, "^decoding$")
        until(b, link, OK, "^receiving$")
        stop()
        stop = sends(b, CompressedImage, RECEIVED, make)
        until(b, own, WARN, words)
        until(b, link, WARN, words)
        stop()
        until(b, own, WARN, "none of the last")


def test_a_blackout_and_a_loss_of_all_are_told_by_the_channel():
    with bench(ChannelNode) as b:
        b.up()
        b.listen(CompressedImage, "camera/image_raw/semcom/received")
        last = statuses(b)
        stop = sends(b, CompressedImage, SENT, message)
        until(b, last, OK, "^carrying$")
        assert b.set(blackout_every_s=5.0, blackout_s=5.0) == ""
        until(b, last, WARN, r"none of the last \d+ payloads got through \(blackout \d+")
        assert b.set(blackout_s=0.0, loss=1.0) == ""
        until(b, last, WARN, r"lost \d+")
        assert b.set(loss=0.0) == ""
        until(b, last, OK, "^carrying$")
        stop()
        until(b, last, WARN, r"no payload has come for \d+\.\d s")


def test_a_vehicle_says_why_no_image_goes_out():
    def depth(number: int) -> Image:
        image = camera_image(number)
        image.encoding = "a depth"
        return image

    with bench(VehicleNode, codec="classical") as b:
        b.up()
        last = statuses(b)
        until(b, last, OK, "^idle: nobody listens$")
        b.listen(CompressedImage, SENT)
        until(b, last, WARN, "^no image has come yet$")
        stop = sends(b, Image, "camera/image_raw", camera_image)
        until(b, last, OK, "^sending$")
        stop()
        until(b, last, WARN, r"no image has come for \d+\.\d s")
        stop = sends(b, Image, "camera/image_raw", depth)
        until(b, last, WARN, r"none of the last \d+ images got through \(failed \d+\): .*'a depth'")
        stop()


def test_a_camera_whose_frames_do_not_come_says_so():
    class Stuck:
        """Three seconds of frames, and then one that takes as long as the test wants it to."""

        camera, go_on = None, threading.Event()

        def __getitem__(self, index: int) -> Frame:
            if index == 60:
                self.go_on.wait()
                raise IndexError
            return Frame(np.zeros((60, 120, 3), np.uint8))

    with bench(CameraNode, data="scenes:1", rate_hz=20.0, loop=False) as b:
        b.node.trigger_configure()
        b.node._source = Stuck()
        b.node.trigger_activate()
        b.listen(Image, "camera/image_raw")
        last = statuses(b)
        try:
            until(b, last, OK, "^playing$")
            until(b, last, WARN, r"^no frame has come for \d\.\d s$")
        finally:
            Stuck.go_on.set()
        until(b, last, OK, "^finished$")


@pytest.mark.parametrize(
    ("node", "kind", "topic"),
    [
        (RsuNode, CompressedImage, RECEIVED),
        (ChannelNode, CompressedImage, SENT),
        (VehicleNode, Image, "camera/image_raw"),
    ],
)
def test_two_that_publish_on_one_input_are_named_until_one_is_gone(node, kind, topic):
    options = {} if node is ChannelNode else {"codec": "classical"}
    with bench(node, **options) as b:
        b.up()
        b.listen(CompressedImage, RECEIVED if node is ChannelNode else SENT)
        last = statuses(b)
        b.speak(kind, topic)
        until(b, last, WARN, "has come yet")
        neighbour = rclpy.create_node("neighbour", namespace="/vehicle_1")
        neighbour.create_publisher(kind, topic, 1)
        until(
            b, last, WARN, rf"^two vehicles publish on /vehicle_1/{topic}: give each a namespace "
            r"\(found: /vehicle_1/neighbour, /vehicle_1/tester\)$",
        )  # fmt: skip
        neighbour.destroy_node()
        until(b, last, WARN, "has come yet")


def test_without_a_clock_the_rsu_says_so_everywhere_and_is_not_silent():
    with bench(RsuNode, codec="classical", use_sim_time=True) as b:
        b.up()
        said = b.warnings()
        own, link = statuses(b), statuses(b, "rsu/link")
        until(b, own, WARN, f"^{NO_CLOCK}$")
        stop = sends(b, CompressedImage, RECEIVED, arrival)
        until(b, link, WARN, rf"\(stale \d+\): {NO_CLOCK}")
        stop()
        assert NO_CLOCK in said


class Loud(SemcomNode):
    """A node that is all wrong, with what others said in it."""

    executable, working = "channel_node", "a\nb\x1b[2J"

    def values(self) -> dict[str, str]:
        return {"data": "c\nd\x1b]0;e"}


def test_what_others_said_reaches_no_log_and_no_status_unescaped():
    with bench(Loud) as b:
        logged = b.warnings()
        b.up()
        got = b.listen(DiagnosticArray, "/diagnostics")
        b.node.flow.came()
        b.node.flow.got_through()
        b.until(lambda: any("a" in m.status[0].message for m in got), "the status")
        for error in (SemcomError("f\ng\x1bh"), OSError("i\nj\x1bk")):
            b.node.fail_frame(error)
        b.node.complain("l\nm\x1bn")
        text = got[-1].status[0]
        assert text.message == r"a\nb\x1b[2J" and text.values[-1].value == r"c\nd\x1b]0;e"
        assert logged == [r"f\ng\x1bh", r"OSError: i\nj\x1bk", r"l\nm\x1bn"]


def test_of_a_failure_of_ours_the_log_has_every_line_of_where_and_one_of_what():
    def fail() -> None:
        try:
            open("no such\nfile")
        except OSError as error:
            raise ValueError("of\nothers") from error

    with bench(Loud) as b:
        logged = b.warnings()
        with pytest.raises(ValueError) as caught:
            fail()
        b.node.fail_frame(caught.value)
        assert r"ValueError: of\nothers" in logged[0] and "in fail\n" in logged[0]
        assert "FileNotFoundError" in logged[0] and "no such\nfile" not in logged[0]


def test_a_payload_says_nothing_of_its_own_in_a_log():
    with bench(RsuNode, codec="classical") as b:
        b.up()
        said = b.warnings()
        sent = arrival(1)
        header = Header(stamp=sent.header.stamp, frame_id="a\n\x1b")
        payload = unpack(bytes(sent.data))
        wrong = Payload(replace(payload.header, codec="x\n\x1b"), ())
        b.speak(CompressedImage, RECEIVED).publish(payload_message(header, "y\n\x1b", pack(wrong)))
        b.until(lambda: said, "the complaint")
        assert all(line.isprintable() for line in said) and r"x\n\x1b" in said[0]
