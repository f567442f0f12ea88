# SPDX-License-Identifier: Apache-2.0
"""The camera as a node, on small folders of frames."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rclpy.time import Time  # noqa: E402
from ros_bench import Bench, bench  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402
from tiny_videos import make_video  # noqa: E402
from tiny_videos import numbers as numbers_shown  # noqa: E402

from semcom_ros.datasets.bags import BagWriter, Qos  # noqa: E402
from semcom_ros.messages.camera import image_array  # noqa: E402
from semcom_ros.nodes.camera_node import CameraNode  # noqa: E402
from semcom_ros.nodes.messages import image_message, stamp_ns  # noqa: E402

RATE_HZ = 50.0


def make_frames(folder: Path, count: int) -> Path:
    """PNG files of 60x120 pixels; the red of a frame is its number."""
    for number in range(count):
        image = np.full((60, 120, 3), (200, 100, number), np.uint8)
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
    return folder


def numbers(images: list[Image]) -> list[int]:
    return [int(image_array(image)[0, 0, 0]) for image in images]


def counted(b: Bench, name: str) -> int:
    return int(b.node.statistics.snapshot().get(name, 0))


def test_a_drive_begins_when_someone_listens_and_plays_every_frame_once(tmp_path):
    folder = make_frames(tmp_path, 5)
    with bench(CameraNode, data=f"folder:{folder}", rate_hz=RATE_HZ, loop=False) as b:
        b.up()
        infos = b.listen(CameraInfo, "camera/camera_info")
        b.listened("camera/camera_info")
        assert b.node.status()[1] == "waiting for listeners"
        assert counted(b, "sent") == 0
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: b.node.status()[1] == "finished", "the end of the drive")
        b.until(lambda: len(images) == len(infos) == 5, "all frames")
        assert numbers(images) == [0, 1, 2, 3, 4]
        assert [i.header for i in images] == [i.header for i in infos]
        stamps = [i.header.stamp.sec * 10**9 + i.header.stamp.nanosec for i in images]
        # Frames may come late on a busy machine, never early: the first sets the clock.
        assert all(stamp - stamps[0] >= i / RATE_HZ * 1e9 - 1e7 for i, stamp in enumerate(stamps))
        assert (images[0].height, images[0].width, images[0].encoding) == (60, 120, "rgb8")
        assert infos[0].k[0] == 0.0, "an unknown camera is published as not calibrated"
        assert b.state() == "active"


def test_a_damaged_frame_is_counted_and_the_drive_goes_on(tmp_path):
    folder = make_frames(tmp_path, 4)
    (folder / "001.png").write_bytes(b"no image")
    with bench(CameraNode, data=str(folder), rate_hz=RATE_HZ, loop=False) as b:
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) == 3, "the good frames")
        assert numbers(images) == [0, 2, 3]
        assert (counted(b, "unreadable"), counted(b, "errors")) == (1, 0)


def test_a_drive_that_an_error_stopped_is_reported_as_an_error(tmp_path, monkeypatch):
    folder = make_frames(tmp_path, 1)
    with bench(CameraNode, data=str(folder), rate_hz=RATE_HZ, wait_for_subscribers=0) as b:
        monkeypatch.setattr(b.node, "_publish", lambda message: 1 // 0)
        b.up()
        failed = (DiagnosticStatus.ERROR, "stopped by an error")
        b.until(lambda: b.node.status() == failed, "the end of the drive")


def test_a_looped_drive_begins_again_and_ends_after_the_frames_asked_for(tmp_path):
    folder = make_frames(tmp_path, 2)
    with bench(CameraNode, data=str(folder), rate_hz=RATE_HZ, loop=True, frames=5) as b:
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) == 5, "five frames")
        assert numbers(images) == [0, 1, 0, 1, 0]
        b.until(lambda: b.node.status()[1] == "finished", "the end of the drive")


def test_a_wrong_path_leaves_a_node_that_can_be_put_right(tmp_path):
    folder = make_frames(tmp_path, 1)
    with bench(CameraNode, data=f"folder:{tmp_path}/no", autostart=True) as b:
        b.node.start_by_itself(lambda: False)
        assert b.state() == "unconfigured"
        assert b.set(data=f"folder:{folder}") == ""
        b.up()


def test_a_paused_drive_begins_again_from_the_first_frame(tmp_path):
    folder = make_frames(tmp_path, 2)
    with bench(CameraNode, data=str(folder), rate_hz=RATE_HZ, loop=False) as b:
        images = b.listen(Image, "camera/image_raw")
        for _ in range(2):
            images.clear()
            b.up()
            b.until(lambda: len(images) == 2, "both frames")
            assert numbers(images) == [0, 1]
            b.node.trigger_deactivate()
            b.node.trigger_cleanup()


def test_a_drive_that_is_held_goes_on_with_the_next_frame(tmp_path):
    folder = make_frames(tmp_path, 30)
    with bench(CameraNode, data=f"folder:{folder}", rate_hz=RATE_HZ, loop=False) as b:
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: images, "a frame")
        assert b.set(paused=True) == ""
        b.until(lambda: b.node.status() == (DiagnosticStatus.OK, "paused"), "the pause")
        assert b.node.values()["paused"] == "true"
        b.until(lambda: len(images) == counted(b, "sent"), "what was sent before")
        held = len(images)
        assert held < 30
        assert b.set(paused=False) == ""
        b.until(lambda: b.node.status()[1] == "finished", "the end of the drive")
        b.until(lambda: len(images) == 30, "all frames")
        assert numbers(images) == [*range(30)]


@pytest.mark.parametrize("container", ["avi", "mp4", "ts", "mjpeg"])
def test_a_looped_video_plays_every_frame_of_each_pass_in_order(tmp_path, container):
    video = make_video(tmp_path / f"drive.{container}", 7)
    with bench(CameraNode, data=f"video:{video}", rate_hz=RATE_HZ, frames=21) as b:
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) == 21, "three passes")
        assert numbers_shown(image_array(image) for image in images) == 3 * list(range(7))
        assert counted(b, "unreadable") == 0


def test_a_video_that_is_not_looped_ends_with_its_last_frame(tmp_path):
    video = make_video(tmp_path / "drive.mjpeg", 5)
    with bench(CameraNode, data=str(video), rate_hz=RATE_HZ, loop=False) as b:
        b.up()
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: b.node.status()[1] == "finished", "the end of the video")
        b.until(lambda: len(images) == 5, "all frames")
        assert numbers_shown(image_array(image) for image in images) == [0, 1, 2, 3, 4]


def test_frames_that_cannot_be_read_in_a_row_are_a_warning_until_one_can(tmp_path):
    folder = make_frames(tmp_path, 3)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    for path in whole:
        path.write_bytes(b"no image")
    with bench(CameraNode, data=str(folder), rate_hz=RATE_HZ, wait_for_subscribers=0) as b:
        b.up()
        b.until(lambda: counted(b, "unreadable") > 3, "frames that fail")
        level, sentence = b.node.status()
        assert level == DiagnosticStatus.WARN and "frames cannot be read" in sentence
        for path, data in whole.items():
            path.write_bytes(data)
        b.until(lambda: counted(b, "sent") > 1, "frames again")
        assert b.node.status() == (DiagnosticStatus.OK, "playing")


def test_frames_of_a_bag_keep_their_stamps_and_a_pass_that_follows_goes_on_in_time(tmp_path):
    start, bag = 1_300_000_000 * 10**9, tmp_path / "bag"
    with BagWriter(bag) as writer:
        topic = writer.topic("/front/image_raw", "sensor_msgs/msg/Image", Qos())
        for i in range(2):
            header = Header(stamp=Time(nanoseconds=start + i * 10**8).to_msg())
            image = image_message(header, np.full((60, 120, 3), i, np.uint8))
            writer.write(topic, start + i * 10**8, serialize_message(image))
    simulated = {"use_sim_time": True, "rate_hz": RATE_HZ, "frames": 5}
    with bench(CameraNode, data=f"bag:{bag}", **simulated) as b:
        clocks = b.listen(Clock, "/clock")
        b.up()
        b.until(lambda: clocks, "the time before the first frame")
        images = b.listen(Image, "camera/image_raw")
        b.until(lambda: len(images) == 5, "five frames")
        assert numbers(images) == [0, 1, 0, 1, 0]
        stamps = [stamp_ns(image.header) - start for image in images]
        assert stamps == [0, 10**8, 2 * 10**8, 3 * 10**8, 4 * 10**8]
        b.until(lambda: b.node.get_clock().now().nanoseconds == start + 4 * 10**8, "its own time")
        shown = [clock.clock.sec * 10**9 + clock.clock.nanosec - start for clock in clocks]
        assert shown[0] < 0 and sorted(shown) == shown and {*stamps} <= {*shown}
        # Ages are of the steady clock: the bag's time stands still from frame to frame.
        assert 0 <= float(b.node.statistics.snapshot()["age_ms_p99"]) < 1e4
