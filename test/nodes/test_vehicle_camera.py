# SPDX-License-Identifier: Apache-2.0
"""What the vehicle makes of other people's cameras."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from diagnostic_msgs.msg import DiagnosticStatus  # noqa: E402
from ros_bench import Bench, bench, camera_image  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.frame import Camera  # noqa: E402
from semcom_ros.nodes.messages import (
    camera_info_message,  # noqa: E402
    stamp_ns,  # noqa: E402
)
from semcom_ros.nodes.vehicle_node import VehicleNode  # noqa: E402
from semcom_ros.payload import unpack  # noqa: E402

CAMERA, INFO, PAYLOADS = "camera/image_raw", "camera/camera_info", "camera/image_raw/semcom"
LENS = Camera(120, 160, 140.0, 141.0, 79.5, 59.5, (-0.25, 0.0625, 0.0, 0.0, 0.0))


def intrinsics_on_the_wire(b: Bench, message: CameraInfo, height: int, width: int) -> Camera | None:
    """Those in the payload of an image of this size beside camera_info `message`."""
    got = b.up().listen(CompressedImage, PAYLOADS)
    camera, infos = b.speak(Image, CAMERA), b.speak(CameraInfo, INFO)
    infos.publish(message)
    b.until(lambda: b.node._camera is not None, "the intrinsics")
    camera.publish(camera_image(1, height, width))
    b.until(lambda: got, "the payload")
    return unpack(bytes(got[0].data)).header.camera


def test_intrinsics_of_a_region_are_those_of_its_images():
    message = camera_info_message(Header(), LENS)
    message.roi.x_offset, message.roi.width, message.roi.height = 40, 80, 120
    with bench(VehicleNode, codec="classical") as b:
        told = intrinsics_on_the_wire(b, message, 120, 80)
        assert (told.height, told.width, told.matrix) == (120, 80, (140.0, 141.0, 39.5, 59.5))
        assert b.node.values()["intrinsics"] == "taken"


def test_intrinsics_of_another_size_are_refused_with_a_sentence_and_stay_off_the_air():
    with bench(VehicleNode, codec="classical") as b:
        complaints = b.warnings()
        assert intrinsics_on_the_wire(b, camera_info_message(Header(), LENS), 60, 160) is None
        assert "160x120" in complaints[0] and "160x60" in complaints[0]
        assert b.node.values()["intrinsics"] == "refused"
        status = DiagnosticStatus.WARN, "camera_info is of images of another size"
        assert b.node.status() == status


def test_a_camera_that_does_not_know_its_intrinsics_is_no_reason_to_complain():
    with bench(VehicleNode, codec="classical") as b:
        complaints = b.warnings()
        assert intrinsics_on_the_wire(b, CameraInfo(), 60, 160) is None
        assert not complaints and b.node.values()["intrinsics"] == "none"


@pytest.mark.parametrize(
    ("remapped", "parameters", "rectified"),
    [
        (f"{CAMERA}:=/cam/image_raw", {}, False),
        (f"{CAMERA}:=/cam/image_rect_color", {}, True),
        (f"{CAMERA}:=/cam/image_rect", {"input_transport": "raw"}, True),
        (
            f"{CAMERA}/compressed:=/cam/image_rect/compressed",
            {"input_transport": "compressed"},
            True,
        ),
        (f"{CAMERA}:=/cam/undistorted", {"rectified": True}, True),
    ],
)
def test_rectified_images_have_the_intrinsics_of_p(remapped, parameters, rectified):
    message = camera_info_message(Header(), LENS)
    message.p[0], message.p[2] = 120.0, 78.0
    with bench(VehicleNode, codec="classical", remapped=[remapped], **parameters) as b:
        b.up().listen(CompressedImage, PAYLOADS)
        b.speak(CameraInfo, INFO).publish(message)
        b.until(lambda: b.node._camera is not None, "the intrinsics")
        taken = b.node._camera
        expected = (120.0, 141.0, 78.0, 59.5) if rectified else LENS.matrix
        assert taken.matrix == expected
        assert taken.distortion == (() if rectified else LENS.distortion)


def test_images_that_never_come_are_counted_and_warned_of():
    with bench(VehicleNode, codec="classical") as b:
        got = b.up().listen(CompressedImage, PAYLOADS)
        camera = b.speak(Image, CAMERA)
        start = stamp_ns(camera_image().header)
        for count, number in enumerate([*range(10), *range(12, 50, 4)], start=1):
            image = camera_image(number)
            at = start + number * 50_000_000
            image.header.stamp.sec, image.header.stamp.nanosec = divmod(at, 10**9)
            camera.publish(image)
            b.until(lambda n=count: len(got) == n, "a payload")
        assert b.node.statistics.snapshot()["missed"] == str(2 + 9 * 3)
        level, sentence = b.node.status()
        assert level == DiagnosticStatus.WARN
        assert sentence == "59% of the camera's images are lost before the vehicle"
