# SPDX-License-Identifier: Apache-2.0
"""What cameras publish to arrays, and arrays to messages and back."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

pytest.importorskip("rclpy", reason="no ROS 2 for this Python")

from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.frame import Camera, fit_camera  # noqa: E402
from semcom_ros.messages.camera import (  # noqa: E402
    MAX_PIXELS,
    camera_of,
    compressed_array,
    image_array,
)
from semcom_ros.nodes.messages import camera_info_message, data_of, image_message  # noqa: E402

RGB = np.random.default_rng(1).integers(0, 256, (6, 10, 3), np.uint8)
GRAY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
BLOCKS = np.repeat(np.repeat(RGB[:3, :5], 16, 0), 16, 1)
"""A picture whose neighbours share their colour, so that no encoding loses it but at the edges."""
INSIDE = np.s_[6:-6:16, 6:-6:16]
SITES = {"r": 0, "g": 1, "b": 2}


def image(encoding: str, pixels: np.ndarray, padding: int = 0, height: int = 0) -> Image:
    """A message whose rows are followed by `padding` bytes, as some drivers do."""
    rows = np.pad(
        np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1),
        ((0, 0), (0, padding)),
        constant_values=99,
    )
    message = Image(encoding=encoding, height=height or len(pixels), width=pixels.shape[1])
    message.step, message.data = rows.shape[1], data_of(rows)
    message.is_bigendian = 255 * (pixels.dtype.byteorder == ">")  # any but 0 says so
    return message


def mosaic(pattern: str) -> np.ndarray:
    """What a sensor sees of `BLOCKS` behind a filter whose first two rows read `pattern`."""
    seen = np.empty(BLOCKS.shape[:2], np.uint8)
    for i, colour in enumerate(pattern):
        at = np.s_[i // 2 :: 2, i % 2 :: 2]
        seen[at] = BLOCKS[at][..., SITES[colour]]
    return seen


def yuv(packing: str) -> np.ndarray:
    """`BLOCKS` in limited-range YCbCr of BT.601, as cameras have it."""
    r, g, b = np.moveaxis(BLOCKS.astype(float), -1, 0)
    y = 16 + (65.481 * r + 128.553 * g + 24.966 * b) / 255
    u = 128 + (-37.797 * r - 74.203 * g + 112.0 * b) / 255
    v = 128 + (112.0 * r - 93.786 * g - 18.214 * b) / 255
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in (y, u, v))
    height, width = y.shape
    if packing in ("nv12", "nv21"):
        first, second = (u, v) if packing == "nv12" else (v, u)
        chroma = np.dstack([first[::2, ::2], second[::2, ::2]]).reshape(height // 2, width)
        return np.vstack([y, chroma])
    pairs = np.empty((height, width, 2), np.uint8)
    luma, chroma = (1, 0) if packing == "uyvy" else (0, 1)
    pairs[..., luma] = y
    pairs[:, ::2, chroma], pairs[:, 1::2, chroma] = u[:, ::2], v[:, ::2]
    return pairs


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize(
    ("encoding", "pixels", "expected"),
    [
        ("rgb8", RGB, RGB),
        ("bgr8", RGB[..., ::-1], RGB),
        ("rgba8", np.dstack([RGB, GRAY]), RGB),
        ("bgra8", np.dstack([RGB[..., ::-1], GRAY]), RGB),
        ("mono8", GRAY, np.dstack([GRAY] * 3)),
        ("8UC1", GRAY, np.dstack([GRAY] * 3)),
        ("8UC3", RGB[..., ::-1], RGB),
        ("8UC4", np.dstack([RGB[..., ::-1], GRAY]), RGB),
        ("rgb16", RGB.astype("<u2") * 256 + 5, RGB),
        ("bgr16", RGB[..., ::-1].astype(">u2") * 256 + 5, RGB),
        ("mono16", GRAY.astype(">u2") * 256 + 250, np.dstack([GRAY] * 3)),
        ("mono16", GRAY.astype("<u2") * 256 + 250, np.dstack([GRAY] * 3)),
    ],
)
def test_every_encoding_of_whole_pixels_is_read_as_rgb(encoding, pixels, expected, padding):
    read = image_array(image(encoding, pixels, padding))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2"])
def test_red_is_red_behind_every_colour_filter(pattern, kind):
    seen = mosaic(pattern)
    if kind == "u1":
        message = image(f"bayer_{pattern}8", seen)
    else:
        message = image(f"bayer_{pattern}16", seen.astype(kind) * 256)
    np.testing.assert_array_equal(image_array(message)[INSIDE], BLOCKS[INSIDE])


@pytest.mark.parametrize(
    ("encoding", "packing"),
    [
        ("yuv422", "uyvy"),
        ("uyvy", "uyvy"),
        ("yuv422_yuy2", "yuyv"),
        ("yuyv", "yuyv"),
        ("nv12", "nv12"),
        ("nv21", "nv21"),
    ],
)
def test_shared_colours_come_back_to_their_pixels(encoding, packing):
    message = image(encoding, yuv(packing), padding=4, height=len(BLOCKS))
    read = image_array(message)
    assert read.shape == BLOCKS.shape
    np.testing.assert_allclose(read[INSIDE].astype(int), BLOCKS[INSIDE], atol=4)


def test_an_odd_size_that_shared_colours_cannot_have_is_refused():
    with pytest.raises(SemcomError, match="9x6 cannot be uyvy.*even"):
        image_array(image("uyvy", np.zeros((6, 9, 2), np.uint8)))


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "nv24", ""])
def test_an_encoding_that_cannot_be_sent_is_named_with_those_that_can(encoding):
    with pytest.raises(SemcomError, match=f"'{encoding}'.*rgb8, bgr8"):
        image_array(Image(encoding=encoding, height=2, width=2, step=8))


def test_an_image_whose_data_is_too_short_is_refused():
    message = image("rgb8", RGB)
    message.data = message.data[:-1]
    with pytest.raises(SemcomError, match="10x6 rgb8 has 179 bytes in rows of 30"):
        image_array(message)
    with pytest.raises(SemcomError, match="80x48 nv12 has 3840 bytes"):
        image_array(image("nv12", yuv("nv12")[:48]))
    with pytest.raises(SemcomError):
        image_array(Image(encoding="rgb8"))


@pytest.mark.parametrize("pixels", [RGB, GRAY, RGB[:, ::2], np.asfortranarray(RGB)])
def test_pixels_are_the_same_after_a_round_trip_in_any_memory_layout(pixels):
    header = Header(frame_id="camera")
    message = image_message(header, pixels)
    assert message.header is header
    # The generated setter looks at every element of anything but an array: 27 ms a frame.
    assert isinstance(message.data, array)
    expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(image_array(message), expected)


def compressed(data: bytes) -> CompressedImage:
    message = CompressedImage(format="rgb8; some compressed bgr8")
    message.data = data_of(data)
    return message


def test_png_is_read_and_anything_else_is_refused():
    png = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    np.testing.assert_array_equal(compressed_array(compressed(png)), RGB)
    jpeg = cv2.imencode(".jpg", RGB)[1].tobytes()
    for data in (b"", b"no image", png[:30], jpeg[:20], png[:60], b"GIF89a" + bytes(40)):
        with pytest.raises(SemcomError, match="publish JPEG or PNG"):
            compressed_array(compressed(data))


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_compressed_picture_is_read_as_it_is_stored(orientation):
    exif = Picture.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Picture.fromarray(BLOCKS).save(file, "JPEG", quality=98, subsampling=0, exif=exif)
    read = compressed_array(compressed(file.getvalue()))
    np.testing.assert_allclose(read[INSIDE].astype(int), BLOCKS[INSIDE], atol=12)


def png_of(width: int, height: int) -> bytes:
    """A PNG without a pixel in it that says it unpacks to so many."""
    parts = (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"IDAT", b"IEND")
    chunks = (struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize("size", [(8192, 8192), (20000, 15000), (1, MAX_PIXELS + 1)])
def test_a_picture_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SemcomError, match=f"unpacks to {size[0]}x{size[1]} pixels"):
        compressed_array(compressed(png_of(*size)))
    jpeg = bytearray(cv2.imencode(".jpg", RGB)[1].tobytes())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 50000)
    with pytest.raises(SemcomError, match="unpacks to 50000x60000 pixels"):
        compressed_array(compressed(jpeg))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_intrinsics_are_the_same_after_a_round_trip():
    lens = ((-0.25, 0.0625, 0.001, 0.002, 0.0), "plumb_bob")
    camera = Camera(360, 480, 500.0, 510.0, 240.5, 180.25, *lens)
    assert camera_of(camera_info_message(Header(), camera)) == camera


def test_a_camera_that_is_not_calibrated_has_zeros_in_k_r_and_p():
    message = camera_info_message(Header(), Camera(256, 512))
    assert (message.height, message.width) == (256, 512)
    assert not any([*message.k, *message.r, *message.p])
    message.roi.x_offset = message.roi.width = 64
    assert camera_of(message) == Camera(256, 64)


def told(**how: int) -> CameraInfo:
    """Of a sensor of 800x600, with a region of interest and binning as its message has them."""
    message = camera_info_message(Header(), Camera(600, 800, 700.0, 710.0, 399.5, 299.5))
    for name, value in how.items():
        setattr(message if name.startswith("binning") else message.roi, name, value)
    return message


def test_a_region_of_interest_moves_the_centre_and_keeps_the_focal_lengths():
    camera = camera_of(told(x_offset=320, y_offset=200, width=400, height=240))
    assert (camera.height, camera.width) == (240, 400)
    assert camera.matrix == (700.0, 710.0, 79.5, 99.5)


def test_binning_acts_on_the_region_of_interest_whose_numbers_are_of_the_full_image():
    both = told(x_offset=320, y_offset=200, width=400, height=240, binning_x=2, binning_y=4)
    camera = camera_of(both)
    assert (camera.height, camera.width) == (60, 200)
    assert camera.matrix == (350.0, 177.5, 39.5, 24.5)
    # Binned by two, or taken in full and scaled to half: the same picture.
    assert camera_of(told(binning_x=2, binning_y=2)) == fit_camera(camera_of(told()), (300, 400))


def test_a_rectified_image_has_the_intrinsics_of_p_and_no_distortion():
    message = told(x_offset=10, width=790, height=600)
    message.d = [-0.3, 0.1, 0.0, 0.0, 0.0]
    message.p = [650.0, 0.0, 380.0, 0.0, 0.0, 655.0, 290.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert camera_of(message).distortion == (-0.3, 0.1, 0.0, 0.0, 0.0)
    camera = camera_of(message, rectified=True)
    assert camera.matrix == (650.0, 655.0, 370.0, 290.0) and camera.distortion == ()
