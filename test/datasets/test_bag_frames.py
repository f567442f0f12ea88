# SPDX-License-Identifier: Apache-2.0
"""`bag:PATH` gives the frames of a camera in a bag, whoever recorded it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from semcom_ros.datasets import is_bag, open_source
from semcom_ros.datasets.bags import STORAGES, BagWriter, Qos
from semcom_ros.datasets.bags.types import Package, cdr, type_store
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID
from semcom_ros.messages import build

STORE = type_store()
SENSOR, STD = Package("sensor_msgs", STORE), Package("std_msgs", STORE)
VISION, TIME = Package("vision_msgs", STORE), Package("builtin_interfaces", STORE)
START, STEP = 1_700_000_000 * 10**9, 10**8
CAMERA = Camera(32, 64, 50.0, 51.0, 31.5, 15.5, (0.1, 0.0, 0.0, 0.0, 0.0))
RGB = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)


def header(stamp: int) -> Any:
    return STD.Header(stamp=TIME.Time(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="cam")


def picture(i: int, stamp: int | None = None) -> Any:
    shown = np.roll(RGB, i, 1)
    return build.image_message(SENSOR, header(START + i * STEP if stamp is None else stamp), shown)


def png(i: int) -> Any:
    data = cv2.imencode(".png", np.roll(RGB, i, 1)[..., ::-1])[1]
    return SENSOR.CompressedImage(header=header(START + i * STEP), format="png", data=data)


def info(i: int, camera: Camera = CAMERA) -> Any:
    return build.camera_info_message(SENSOR, header(START + i * STEP), camera)


def bag_of(path: Path, messages: list[tuple[str, int, Any]], storage: str = "mcap") -> str:
    """A bag of `messages`: topic, recorder's stamp after `START` in ns, message."""
    with BagWriter(path, storage) as bag:
        topics: dict[str, Any] = {}
        for name, stamp, message in messages:
            if name not in topics:
                topics[name] = bag.topic(name, message.__msgtype__, Qos())
            bag.write(topics[name], START + stamp, cdr(message, STORE))
    return f"bag:{path}"


@pytest.mark.parametrize("storage", STORAGES)
def test_frames_have_the_stamps_and_intrinsics_of_the_bag(tmp_path: Path, storage: str) -> None:
    sharper = replace(CAMERA, fx=80.0)
    messages = [("/cam/image_raw", i * STEP, picture(i)) for i in range(5)]
    messages += [("/cam/camera_info", i * STEP, info(i, sharper if i == 3 else CAMERA))
                 for i in range(5)]  # fmt: skip
    source = open_source(bag_of(tmp_path / "drive", messages, storage))
    assert len(source) == 5 and source.rate_hz == 10.0 and source.camera == CAMERA
    frames = list(source)
    assert [frame.stamp for frame in frames] == [START + i * STEP for i in range(5)]
    assert [frame.camera.fx for frame in frames] == [50, 50, 50, 80, 50]
    assert all(np.array_equal(frame.image, np.roll(RGB, i, 1)) for i, frame in enumerate(frames))
    assert np.array_equal(source[-1].image, frames[4].image) and source[1].stamp == START + STEP
    with pytest.raises(IndexError):
        source[5]
    assert open_source(str(tmp_path / "drive")).name == f"bag:{tmp_path}/drive"
    assert is_bag(str(tmp_path / "drive")) and not is_bag("scenes:1")


def test_what_a_recorder_wrote_late_still_belongs_to_its_picture(tmp_path: Path) -> None:
    truth = "/cam/ground_truth/segmentation"
    names = VISION.LabelInfo(header=header(0), class_map=[
        VISION.VisionClass(class_id=7, class_name="car"),
        VISION.VisionClass(class_id=8, class_name="unicorn"),
    ])  # fmt: skip
    ids = np.repeat(np.array([[7, 8, 9, 7]], np.uint8), 32, 0).repeat(16, 1)
    messages = [(f"{truth}/label_info", 0, names)]
    messages += [("/cam/image_raw", i * STEP, picture(i)) for i in range(4)]
    messages.append(
        (truth, 2 * STEP + 90_000_000, build.image_message(SENSOR, header(START + 2 * STEP), ids))
    )
    frames = list(open_source(bag_of(tmp_path / "drive", messages)))
    assert [frame.labels is not None for frame in frames] == [False, False, True, False]
    car = TRAIN_ID["car"]
    assert frames[2].labels[5, ::16].tolist() == [car, 255, 255, car]
    assert frames[0].camera is None


def test_the_camera_is_found_among_all_that_a_drive_publishes(tmp_path: Path) -> None:
    others = ("/rsu/image", "/rsu/segmentation", "/vehicle/segmentation")
    messages = [(name, 0, picture(3)) for name in others]
    payload = SENSOR.CompressedImage(header=header(START), format="rgb8; semcom gesco/1")
    messages.append(("/camera/image_raw/semcom", 0, payload))
    messages.append(("/camera/image_raw/compressed", 0, png(2)))
    compressed = bag_of(tmp_path / "compressed", messages)
    assert np.array_equal(open_source(compressed)[0].image, np.roll(RGB, 2, 1))
    # The same pictures in both types need not be decoded.
    messages.append(("/camera/image_raw", 0, picture(1)))
    both = bag_of(tmp_path / "both", messages)
    assert np.array_equal(open_source(both)[0].image, np.roll(RGB, 1, 1))
    named = open_source(f"{both}#/rsu/image")
    assert np.array_equal(named[0].image, np.roll(RGB, 3, 1)) and named.name.endswith("#/rsu/image")
    messages.append(("/right/image_rect", 0, picture(0)))
    with pytest.raises(
        SemcomError, match=r"several cameras: .*/image_raw, /right/image_rect\. Name"
    ):
        open_source(bag_of(tmp_path / "stereo", messages))


def test_the_rate_is_that_of_the_pictures_whatever_else_a_bag_holds(tmp_path: Path) -> None:
    messages = [("/image", at, picture(0, START + at)) for at in (0, STEP, 2 * STEP, 30 * STEP)]
    messages += [("/camera_info", at, info(0)) for at in (0, 100 * STEP)]
    assert open_source(bag_of(tmp_path / "drive", messages)).rate_hz == 10.0


def test_a_topic_that_nothing_was_said_on_is_no_camera(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "drive") as bag:
        for name in ("/cam/image_raw", "/rear/image_raw"):
            bag.topic(name, "sensor_msgs/msg/Image", Qos())
        pictures = bag.topic("/cam/image_raw/compressed", png(0).__msgtype__, Qos())
        bag.write(pictures, START, cdr(png(0), STORE))
    assert np.array_equal(open_source(f"bag:{tmp_path}/drive")[0].image, RGB)


def test_rectified_pictures_have_no_distortion(tmp_path: Path) -> None:
    message = info(0)
    message.p[0] = 45.0
    messages = [("/cam/image_rect", 0, picture(0)), ("/cam/camera_info", 0, message)]
    camera = open_source(bag_of(tmp_path / "drive", messages))[0].camera
    assert camera == replace(CAMERA, fx=45.0, distortion=())


def test_pictures_without_a_stamp_have_the_recorders(tmp_path: Path) -> None:
    messages = [("/image", i * STEP, picture(i, stamp=0)) for i in range(2)]
    frames = open_source(bag_of(tmp_path / "drive", messages))
    assert [frame.stamp for frame in frames] == [START, START + STEP]


def test_a_picture_that_cannot_be_decoded_is_told_and_the_rest_still_play(tmp_path: Path) -> None:
    broken = png(1)
    broken.data = broken.data[:40]
    messages = [("/image/compressed", 0, png(0)), ("/image/compressed", STEP, broken)]
    messages.append(("/image/compressed", 2 * STEP, png(2)))
    odd = build.image_message(SENSOR, header(START + 2 * STEP), RGB[:4, :4, 0])
    messages += [("/ground_truth/segmentation", 2 * STEP, odd)]
    messages += [("/ground_truth/segmentation/label_info", 0, VISION.LabelInfo())]
    source = open_source(bag_of(tmp_path / "drive", messages))
    assert source[0].stamp == START
    with pytest.raises(SemcomError, match="cannot be decoded"):
        source[1]
    with pytest.raises(SemcomError, match="The labels of stamp .* are not in the size of"):
        source[2]
    assert np.array_equal(source[0].image, RGB)


def test_messages_that_are_cut_short_do_not_end_a_bag(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "drive") as bag:
        pictures = bag.topic("/image", picture(0).__msgtype__, Qos())
        for i, data in enumerate(
            (cdr(picture(0), STORE), b"", b"\0\1\0\0", cdr(picture(3), STORE))
        ):
            bag.write(pictures, START + i * STEP, data)
    source = open_source(f"bag:{tmp_path}/drive")
    for cut in (1, 2):
        with pytest.raises(
            SemcomError, match=r"of /image in '.*drive' is no sensor_msgs/msg/Image"
        ):
            source[cut]
    assert [source[0].stamp, source[3].stamp] == [START, START + 3 * STEP]


def test_a_bag_without_pictures_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SemcomError, match=r"drive' has no pictures: no topic"):
        open_source(bag_of(tmp_path / "drive", [("/camera_info", 0, info(0))]))
    with pytest.raises(SemcomError, match="no topic '/x': there are /camera_info"):
        open_source(f"bag:{tmp_path}/drive#/x")
    with BagWriter(tmp_path / "empty") as bag:
        bag.topic("/image", "sensor_msgs/msg/Image", Qos())
    with pytest.raises(SemcomError, match="empty' has no pictures"):
        open_source(f"bag:{tmp_path}/empty")
    with pytest.raises(SemcomError, match="The topic /image of .* has no messages"):
        open_source(f"bag:{tmp_path}/empty#/image")
    with pytest.raises(SemcomError, match="There is no '.*nowhere'"):
        open_source(f"bag:{tmp_path}/nowhere")
