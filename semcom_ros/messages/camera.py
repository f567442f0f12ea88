# SPDX-License-Identifier: Apache-2.0
"""What cameras publish, images of any usual encoding and intrinsics, to arrays.

A message is anything with the fields that ROS gives its type: rclpy's, or one read from a bag.
"""

from __future__ import annotations

import io
import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Window, window_camera

MAX_PIXELS = 2**25
"""Most of a compressed picture, that of 8K video: its file may be a thousandth of what it unpacks
to, so that pictures are measured before any memory is spent on them."""


class Encoding(NamedTuple):
    """How an image lies in its message.

    samples: of a pixel, or of one of the first plane, `bits` each. code: OpenCV's to RGB, None for
    RGB. rows: of data for two of the image.
    """

    samples: int
    code: int | None
    bits: int = 8
    rows: int = 2


_COLOURS = {
    "rgb": Encoding(3, None),
    "bgr": Encoding(3, cv2.COLOR_BGR2RGB),
    "rgba": Encoding(4, cv2.COLOR_RGBA2RGB),
    "bgra": Encoding(4, cv2.COLOR_BGRA2RGB),
    "mono": Encoding(1, cv2.COLOR_GRAY2RGB),
    # OpenCV's short names of the mosaics are those of their second row; these say what ROS's do.
    "bayer_rggb": Encoding(1, cv2.COLOR_BayerRGGB2RGB),
    "bayer_bggr": Encoding(1, cv2.COLOR_BayerBGGR2RGB),
    "bayer_gbrg": Encoding(1, cv2.COLOR_BayerGBRG2RGB),
    "bayer_grbg": Encoding(1, cv2.COLOR_BayerGRBG2RGB),
}
_UYVY = Encoding(2, cv2.COLOR_YUV2RGB_UYVY)
_YUYV = Encoding(2, cv2.COLOR_YUV2RGB_YUYV)
ENCODINGS = {
    **{f"{name}8": encoding for name, encoding in _COLOURS.items()},
    **{f"{name}16": encoding._replace(bits=16) for name, encoding in _COLOURS.items()},
    # Drivers that know no colours publish OpenCV's own.
    "8UC1": _COLOURS["mono"],
    "8UC3": _COLOURS["bgr"],
    "8UC4": _COLOURS["bgra"],
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
    "nv12": Encoding(1, cv2.COLOR_YUV2RGB_NV12, rows=3),
    "nv21": Encoding(1, cv2.COLOR_YUV2RGB_NV21, rows=3),
}
"""By the name in the message. 16UC1 is missing: in ROS it is depth in millimetres (REP 118)."""


def image_array(message: Any) -> np.ndarray:
    """The pixels of an Image: uint8 [H, W, 3] RGB; a view where no conversion is needed.

    Of 16 bits the upper 8 are kept. Raises SemcomError for an encoding that shows no street, or
    data that is too short.
    """
    name, height, width = message.encoding, message.height, message.width
    if name not in ENCODINGS:
        raise SemcomError(
            f"The image encoding '{name}' is not one that can be sent: publish one of "
            f"{', '.join(ENCODINGS)}."
        )
    encoding = ENCODINGS[name]
    row, rows = width * encoding.samples * encoding.bits // 8, height * encoding.rows // 2
    if message.step < row or len(message.data) < rows * message.step or not row * rows:
        raise SemcomError(
            f"An image of {width}x{height} {name} has {len(message.data)} bytes in rows of "
            f"{message.step}: the camera's driver fills the message wrongly."
        )
    data = np.frombuffer(message.data, np.uint8, rows * message.step)
    lines = data.reshape(rows, message.step)[:, :row]
    if encoding.bits == 16:
        lines = lines[:, 0 if message.is_bigendian else 1 :: 2]
    pixels = lines.reshape(rows, width, encoding.samples)
    if encoding.code is None:
        return pixels
    try:
        return cv2.cvtColor(np.ascontiguousarray(pixels), encoding.code)
    except cv2.error:
        raise SemcomError(
            f"An image of {width}x{height} cannot be {name}, which shares colours between "
            "neighbouring pixels: publish an even width and height."
        ) from None


def compressed_array(message: Any) -> np.ndarray:
    """The pixels of a CompressedImage, JPEG or PNG, as they are stored: uint8 [H, W, 3] RGB.

    They are not turned as EXIF may say: intrinsics are those of the picture as it is stored. Raises
    SemcomError, for more than `MAX_PIXELS` before they are unpacked.
    """
    data = bytes(message.data)
    size = _picture_size(data)
    if size is not None and math.prod(size) > MAX_PIXELS:
        raise SemcomError(
            f"A compressed image of {len(data)} bytes unpacks to {size[0]}x{size[1]} pixels, more "
            f"than the {MAX_PIXELS} that a camera's may have: publish a smaller one."
        )
    try:
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = None if size is None else cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None:
        raise SemcomError(
            f"A compressed image of {len(data)} bytes and format '{message.format}' cannot be "
            "decoded: publish JPEG or PNG."
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that the head of a JPEG or PNG file tells, None for any other file."""
    # Pillow reads the head alone; its `Image.open` would warn of large pictures by itself.
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile

    kind = PngImageFile if data.startswith(b"\x89PNG") else JpegImageFile
    try:
        with kind(io.BytesIO(data)) as picture:
            return picture.size
    except (OSError, SyntaxError, ValueError):
        return None


def camera_of(message: Any, rectified: bool = False) -> Camera:
    """Intrinsics of the images beside a CameraInfo; those of a camera not calibrated are all 0.

    K and P belong to the full image without binning. The images are its region of interest, of
    which as many pixels as the binning says make one. rectified: they have no distortion, and P.
    """
    k, p, d = (tuple(map(float, numbers)) for numbers in (message.k, message.p, message.d))
    roi = message.roi
    matrix = (p[0], p[5], p[2], p[6]) if rectified else (k[0], k[4], k[2], k[5])
    lens = () if rectified else d
    full = Camera(message.height, message.width, *matrix, lens, message.distortion_model)
    height, width = roi.height or full.height, roi.width or full.width
    size = height // max(1, message.binning_y), width // max(1, message.binning_x)
    return window_camera(full, Window(roi.y_offset, roi.x_offset, height, width), size)
