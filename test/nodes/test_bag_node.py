# SPDX-License-Identifier: Apache-2.0
"""A bag of anybody's, played as a node plays it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rclpy.time import Time  # noqa: E402
from ros_bench import Bench, bench  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo  # noqa: E402

from semcom_ros.datasets.bags import BagWriter, Qos  # noqa: E402
from semcom_ros.nodes import bag_node  # noqa: E402
from semcom_ros.nodes.bag_node import BagNode  # noqa: E402
from semcom_ros.nodes.messages import image_message, stamp_ns  # noqa: E402

START = 1_300_000_000 * 10**9 + 7
"""Of 2011: such a stamp is stale to a node that looks at any other clock."""
MS = 10**6
CAMERA = "/front/image_raw"


def header(at_ms: int) -> Header:
    return Header(stamp=Time(nanoseconds=START + at_ms * MS).to_msg(), frame_id="front")


def picture(at_ms: int) -> Image:
    return image_message(header(at_ms), np.full((4, 8, 3), at_ms % 256, np.uint8))


def drive(times_ms: Iterable[int]) -> list[tuple[str, int, Any]]:
    """Pictures and intrinsics of a camera, and objects whose headers are within, by their times."""
    found = []
    for at in times_ms:
        boxes = Detection2DArray(header=header(at), detections=[Detection2D(header=header(at))])
        info = CameraInfo(header=header(at), height=4, width=8)
        found += [
            ("/front/camera_info", at, info),
            (CAMERA, at, picture(at)),
            ("/boxes", at, boxes),
        ]
    return found


def write(path: Path, messages: list[tuple[str, int, Any]], **qos: Qos) -> Path:
    """A bag of messages by topic and time in ms."""
    with BagWriter(path) as bag:
        topics = {}
        for name, at, message in messages:
            if name not in topics:
                package, kind = type(message).__module__.split(".")[0], type(message).__name__
                topics[name] = bag.topic(name, f"{package}/msg/{kind}", qos.get(name[1:], Qos()))
            bag.write(topics[name], START + at * MS, serialize_message(message))
    return path


def stamps_ms(messages: list[Any]) -> list[float]:
    return [(stamp_ns(m.header) - START) / MS for m in messages]


def times_ms(clocks: list[Clock]) -> list[float]:
    shown = [stamp_ns(SimpleNamespace(stamp=clock.clock)) for clock in clocks]
    return [(at - START) / MS for at in shown]


def played(b: Bench, name: str) -> int:
    return int(b.node.statistics.snapshot().get(name, 0))


def finished(b: Bench) -> bool:
    return b.node.status()[1] == "finished"


def test_a_foreign_camera_becomes_the_vehicles_under_its_own_stamps_and_the_time_is_the_bags(
    tmp_path,
):
    bag = write(tmp_path / "bag", drive([0, 40, 100]))
    with bench(BagNode, bag=str(bag), clock_hz=100.0) as b:
        clocks = b.listen(Clock, "/clock")
        infos, boxes = (
            b.listen(CameraInfo, "camera/camera_info"),
            b.listen(Detection2DArray, "/boxes"),
        )
        b.up()
        b.until(lambda: clocks, "the time before anything is played")
        assert b.node.status()[1] == "waiting for listeners on /vehicle_1/camera/image_raw"
        seen = []
        b.tester.create_subscription(
            Image, "camera/image_raw", lambda image: seen.append((image, len(clocks))), 100
        )
        b.until(lambda: finished(b), "the end of the bag")
        b.until(lambda: len(seen) == len(infos) == len(boxes) == 3, "all messages")
        assert [image for image, _ in seen] == [picture(at) for at in (0, 40, 100)]
        assert stamps_ms(infos) == stamps_ms(boxes) == [0, 40, 100]
        shown = times_ms(clocks)
        assert shown == sorted(shown) and {0, 40, 100} <= set(shown) and len(shown) > 8
        assert -2 < shown[0] < 0
        assert (played(b, "sent"), b.node.values()["position_s"]) == (9, "0.100")


def test_a_bag_that_is_played_over_and_over_goes_on_in_time_and_rewinds_when_asked_to(tmp_path):
    bag = write(tmp_path / "bag", drive([0, 50]))
    for repeat, expected in (("onward", [0, 50, 150, 200, 300]), ("rewind", [0, 50, 0, 50, 0])):
        with bench(BagNode, bag=str(bag), bag_repeat=repeat, bag_rate=4.0) as b:
            b.up()
            clocks, boxes = b.listen(Clock, "/clock"), b.listen(Detection2DArray, "/boxes")
            images = b.listen(Image, "camera/image_raw")
            b.until(lambda images=images, boxes=boxes: min(len(images), len(boxes)) >= 5, "passes")
            assert stamps_ms(images)[:5] == stamps_ms(boxes)[:5] == expected
            inner = [one.detections[0] for one in boxes[:5]]
            assert stamps_ms(inner) == expected, "headers within are those of the message"
            shown = times_ms(clocks)
            assert (shown == sorted(shown)) is (repeat == "onward")
            assert int(b.node.values()["passes"]) >= 2


def test_a_bag_of_one_moment_rests_before_it_rewinds(tmp_path):
    bag = write(tmp_path / "bag", drive([0]))
    with bench(BagNode, bag=str(bag), bag_repeat="rewind", bag_rate=4.0) as b:
        clocks = b.listen(Clock, "/clock")
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) > 3, "passes")
        assert times_ms(clocks).count(50) >= 2


def test_a_message_that_cannot_be_made_later_is_counted_and_the_rest_go_on(tmp_path):
    far = LabelInfo()
    far.header.stamp.sec, far.header.stamp.nanosec = 2**31 - 1, 10**9 - 1
    bag = write(tmp_path / "bag", [("/classes", 0, far), *drive([0])])
    with bench(BagNode, bag=str(bag), bag_repeat="onward", bag_topics="/classes") as b:
        b.up()
        b.listen(LabelInfo, "/classes")
        b.until(lambda: played(b, "errors") >= 2, "passes of nothing")
        b.node.trigger_deactivate()  # which waits for the player
    with bench(BagNode, bag=str(bag), bag_repeat="onward") as b:
        told = b.warnings()
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) > 2, "passes")
        assert "The stamps of a message of /classes" in told[0]
        assert played(b, "errors") >= 2


def test_a_recorded_clock_is_the_time(tmp_path):
    clock = [("/clock", at, Clock(clock=header(at - 10**6).stamp)) for at in (0, 50)]
    bag = write(tmp_path / "bag", [*clock, *drive([0, 50])])
    with bench(BagNode, bag=str(bag), bag_repeat="onward", bag_topics=CAMERA, bag_rate=4.0) as b:
        clocks = b.listen(Clock, "/clock")
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) >= 3 and len(clocks) >= 3, "two passes")
        assert times_ms(clocks)[:3] == [-(10**6), -(10**6) + 50, -(10**6) + 150]


def test_what_is_latched_is_said_though_the_start_is_left_out_and_late_messages_are_counted(
    tmp_path,
):
    said = ("/classes", 0, LabelInfo(header=header(0), threshold=0.5))
    bag = write(tmp_path / "bag", [said, *drive(range(0, 1000, 100))], classes=Qos(latched=True))
    with bench(
        BagNode, bag=str(bag), bag_start_s=0.75, bag_rate=100.0, bag_topics=f"{CAMERA}, /classes"
    ) as b:
        slow = b.node.show_time
        b.node.show_time = lambda at: (slow(at), b.node.stopped(0.03))
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: finished(b) and len(images) == 2, "the end of the bag")
        assert stamps_ms(images) == [800, 900]
        assert played(b, "late") == 3, "each waited for the time to be shown"
        classes = b.listen(LabelInfo, "/classes", latched=True)
        b.until(lambda: classes, "what was latched")
        assert [p.topic_name for p in b.node.publishers].count("/boxes") == 0


def test_a_best_effort_camera_in_a_bag_is_one_again_and_pictures_may_be_compressed(tmp_path):
    jpeg = CompressedImage(header=header(0), format="jpeg", data=b"no picture")
    name = f"{CAMERA}/compressed"
    bag = write(tmp_path / "bag", [(name, 0, jpeg)], **{name[1:]: Qos(reliable=False)})
    with bench(BagNode, bag=str(bag)) as b:
        b.up()
        profile = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
        got = []
        topic = "camera/image_raw/compressed"
        b.tester.create_subscription(CompressedImage, topic, got.append, profile)
        b.until(lambda: got, "the picture")
        assert got == [jpeg]
        (found,) = b.tester.get_publishers_info_by_topic(f"/vehicle_1/{topic}")
        assert found.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bag": ""}, "names no bag"),
        ({"bag": "{}/none"}, "There is no '.*none'"),
        ({"bag": "{}/broken.mcap"}, "broken.mcap' cannot be read"),
        ({"bag": "{}/empty"}, "empty"),
        (
            {"bag": "{}/bag", "bag_start_s": 9.0},
            "nothing .* from bag_start_s = 9 on: .* lasts 0.000 s",
        ),
        ({"bag": "{}/bag", "bag_topics": "/boxs"}, "has no topic '/boxs': there are"),
    ],
)
def test_what_cannot_be_played_is_one_sentence_and_the_node_can_be_put_right(
    settings, sentence, tmp_path
):
    bag = write(tmp_path / "bag", drive([0]))
    write(tmp_path / "empty", [])
    (tmp_path / "broken.mcap").write_bytes(bag.joinpath("bag.mcap").read_bytes()[:100])
    given = {k: v.format(tmp_path) if k == "bag" else v for k, v in settings.items()}
    with bench(BagNode, **given) as b:
        said, logger = [], b.node.get_logger()
        b.node.get_logger = lambda: SimpleNamespace(
            error=said.append, warning=logger.warning, info=logger.info
        )
        b.node.trigger_configure()
        assert b.state() == "unconfigured"
        assert len(said) == 1 and re.search(sentence, said[0]), said
        assert b.set(bag=str(bag), bag_start_s=0.0, bag_topics="") == ""
        b.up()


def test_types_that_nobody_here_knows_are_left_out_and_told(tmp_path, monkeypatch):
    known = bag_node.message_type
    strange = "vision_msgs/msg/Detection2DArray"
    monkeypatch.setattr(bag_node, "message_type", lambda n: None if n == strange else known(n))
    bag = write(tmp_path / "bag", drive([0]))
    with bench(BagNode, bag=str(bag), wait_for_subscribers=0) as b:
        told = b.warnings()
        b.up()
        assert told == [f"Not played, for their types are not installed here: /boxes ({strange})."]
        assert b.node.values()["left_out"] == "/boxes"
        b.until(lambda: finished(b), "the end of the bag")
        assert played(b, "sent") == 2


def test_of_several_cameras_none_is_the_vehicles_until_one_is_named(tmp_path):
    bag = write(tmp_path / "bag", [*drive([0]), ("/rear/image_raw", 0, picture(0))])
    with bench(BagNode, bag=str(bag), wait_for_subscribers=0) as b:
        told = b.warnings()
        b.up()
        assert "has the pictures of several cameras" in told[0]
        assert {p.topic_name for p in b.node.publishers} >= {CAMERA, "/rear/image_raw"}
    with bench(BagNode, bag=str(bag), bag_camera="/rear/image_raw") as b:
        images = b.listen(Image, "camera/image_raw")
        b.up()
        b.until(lambda: images, "the chosen camera")
        assert b.node.values()["camera"] == "/rear/image_raw"
