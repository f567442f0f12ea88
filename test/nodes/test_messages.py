# SPDX-License-Identifier: Apache-2.0
"""numpy to messages and back."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.frame import Camera  # noqa: E402
from semcom_ros.nodes import messages  # noqa: E402

RGB = np.random.default_rng(1).integers(0, 256, (6, 10, 3), np.uint8)
GRAY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)


def image(encoding: str, pixels: np.ndarray, padding: int = 0) -> Image:
    """A message whose rows are followed by `padding` bytes, as some drivers do."""
    height, width = pixels.shape[:2]
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=99)
    message = Image(encoding=encoding, height=height, width=width, step=rows.shape[1])
    message.data = messages.data_of(rows)
    return message


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("rgba8", np.dstack([RGB, GRAY]), RGB),
        ("bgra8", np.dstack([RGB[..., ::-1], GRAY]), RGB),
        ("mono8", GRAY, np.dstack([GRAY] * 3)),
    ],
)
def test_every_8_bit_encoding_is_read_as_rgb(encoding, pixels, expected, padding):
    read = messages.image_array(image(encoding, pixels, padding))
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("encoding", ["16UC1", "yuv422", "bayer_rggb8", ""])
def test_an_encoding_that_cannot_be_sent_is_named_with_those_that_can(encoding):
    with pytest.raises(SemcomError, match=f"'{encoding}'.*rgb8, bgr8"):
        messages.image_array(Image(encoding=encoding, height=2, width=2, step=4))


def test_an_image_whose_data_is_too_short_is_refused():
    message = image("rgb8", RGB)
    message.data = message.data[:-1]
    with pytest.raises(SemcomError, match="10x6 rgb8 has 179 bytes in rows of 30"):
        messages.image_array(message)
    with pytest.raises(SemcomError):
        messages.image_array(Image(encoding="rgb8"))


@pytest.mark.parametrize("pixels", [RGB, GRAY, RGB[:, ::2], np.asfortranarray(RGB)])
def test_pixels_are_the_same_after_a_round_trip_in_any_memory_layout(pixels):
    header = Header(frame_id="camera")
    message = messages.image_message(header, pixels)
    assert message.header is header
    # The generated setter looks at every element of anything but an array: 27 ms a frame.
    assert isinstance(message.data, array)
    expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(messages.image_array(message), expected)


def test_png_is_read_and_anything_else_is_refused():
    message = CompressedImage(format="png")
    message.data = messages.data_of(cv2.imencode(".png", RGB[..., ::-1])[1])
    np.testing.assert_array_equal(messages.compressed_array(message), RGB)
    for data in (b"", b"no image"):
        message.data = messages.data_of(data)
        with pytest.raises(SemcomError, match="publish JPEG or PNG"):
            messages.compressed_array(message)


def test_intrinsics_are_the_same_after_a_round_trip():
    lens = ((-0.25, 0.0625, 0.001, 0.002, 0.0), "plumb_bob")
    camera = Camera(360, 480, 500.0, 510.0, 240.5, 180.25, *lens)
    assert messages.camera_of(messages.camera_info_message(Header(), camera)) == camera


def test_a_camera_that_is_not_calibrated_has_zeros_in_k_r_and_p():
    message = messages.camera_info_message(Header(), Camera(256, 512))
    assert (message.height, message.width) == (256, 512)
    assert not any([*message.k, *message.r, *message.p])
