# SPDX-License-Identifier: Apache-2.0
"""Messages of pictures, maps and points to the bytes that a page draws."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from vision_msgs.msg import Detection2DArray

from semcom_ros.frame import WORK_SIZE, fit_window
from semcom_ros.messages.boxes import detections_of
from semcom_ros.messages.camera import compressed_array, image_array
from semcom_ros.nodes.messages import POINT

QUALITY = 80
"""Of the JPEGs."""
EVERY = 2
"""One point in so many of a cloud's rows and columns is shown."""


def jpeg(message: Image | CompressedImage) -> bytes:
    """The part of a picture that is sent, at the size of work. Raises SemcomError."""
    raw = isinstance(message, Image)
    image = image_array(message) if raw else compressed_array(message)
    if image.shape[:2] != WORK_SIZE:
        w = fit_window(*image.shape[:2])
        cut = image[w.top : w.top + w.height, w.left : w.left + w.width]
        # What is far larger loses every other pixel first: a mean over all takes 5 ms.
        step = max(1, w.width // (2 * WORK_SIZE[1]))
        image = cv2.resize(cut[::step, ::step], WORK_SIZE[::-1], interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def deflated(message: Image) -> bytes:
    """A mono8 map as zlib has it, whose edges a JPEG would blur."""
    return zlib.compress(message.data, 1)


def points(message: PointCloud2) -> bytes:
    """Points of a cloud of `rsu/points`: int16 [n, 3] cm, then uint8 [n] labels, deflated."""
    cloud = np.frombuffer(message.data, POINT).reshape(message.height, message.width)
    fewer = cloud[::EVERY, ::EVERY].ravel()
    known = fewer[np.isfinite(fewer["z"])]
    xyz = np.stack([known[axis] for axis in "xyz"], 1)
    near = np.clip(100 * xyz, -32000, 32000).astype("<i2")
    return zlib.compress(near.tobytes() + known["label"].astype(np.uint8).tobytes(), 1)


def boxes(message: Detection2DArray) -> list[list[float | str]]:
    """Name, score, left, top, width and height of each, in pixels of the RSU's image."""
    return [
        [one.name, *(round(number, 2) for number in (one.score, *one.box))]
        for one in detections_of(message)
    ]
