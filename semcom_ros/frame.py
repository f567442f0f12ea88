# SPDX-License-Identifier: Apache-2.0
"""What a camera sees at one moment, and how it is brought to the size of work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.objects import Object

Images = np.ndarray | Sequence[np.ndarray]
"""A batch uint8 [B, H, W, 3] RGB, or its images."""
WORK_SIZE = (256, 512)
"""Height and width in pixels that codecs and networks work at: the papers' own."""
MIN_SIDE = 32
"""A frame with a shorter side than this holds no street that could be sent."""


class Mounting(NamedTuple):
    """Where a camera is on its vehicle (REP 103: x ahead, y left, z up from the road below).

    Metres, and radians of the turn of the optical axis from straight ahead.
    """

    x: float
    y: float
    z: float
    roll: float = 0.0
    pitch: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics in pixels for images of `height` x `width`; by default not calibrated.

    distortion: the coefficients of `distortion_model`, as ROS's CameraInfo names both. mounting:
    None where unknown.
    """

    height: int
    width: int
    fx: float = 0.0
    fy: float = 0.0
    cx: float = 0.0
    cy: float = 0.0
    distortion: tuple[float, ...] = ()
    distortion_model: str = "plumb_bob"
    mounting: Mounting | None = None

    @property
    def matrix(self) -> tuple[float, float, float, float]:
        """fx, fy, cx and cy."""
        return self.fx, self.fy, self.cx, self.cy

    @property
    def calibrated(self) -> bool:
        """Whether the intrinsics are known; drivers that do not know them leave zeros."""
        return self.fx > 0 and min(self.height, self.width) > 0


def mounting_of(text: str) -> Mounting | None:
    """A mounting from "x, y, z" in metres and, if turned, "roll, pitch, yaw" in degrees; None for
    "". Raises SemcomError."""
    if not text.strip():
        return None
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (3, 6) or not all(map(math.isfinite, values)):
        raise SemcomError(
            f"The mounting is '{text}'; it must be x, y, z in metres (ahead, left, up from the "
            "road) and, where the camera is turned, roll, pitch, yaw in degrees, as 1.7,0,1.2."
        )
    return Mounting(*values[:3], *map(math.radians, values[3:]))


@dataclass(frozen=True)
class Window:
    """The part of a source image, in its pixels, that is scaled to the size of work."""

    top: int
    left: int
    height: int
    width: int


class Pose(NamedTuple):
    """Where a camera is, in metres (x right, y up, z ahead of the start), and how it is turned.

    yaw to the right about the vertical and then pitch up, in radians.
    """

    x: float
    y: float
    z: float
    yaw: float
    pitch: float


@dataclass(frozen=True)
class Frame:
    """One camera frame.

    image: uint8 [H, W, 3] RGB. labels: uint8 [H, W] trainId, 255 void, or None where unknown; of
    another label space where the source was opened in that.
    stamp: nanoseconds of capture since the epoch; an integer, since seconds in a float64 would
    not give back the ROS stamp. camera: intrinsics, or None. depth: float32 [H, W] metres along
    the optical axis, NaN unknown, or None. instances: uint16 [H, W], the id of the object whose
    pixel this is, 0 none, or None. objects: those objects, or None where unknown. pose: the
    camera's in the world, or None.
    """

    image: np.ndarray
    labels: np.ndarray | None = None
    stamp: int = 0
    camera: Camera | None = None
    depth: np.ndarray | None = None
    instances: np.ndarray | None = None
    objects: tuple[Object, ...] | None = None
    pose: Pose | None = None


def fit_window(height: int, width: int, size: tuple[int, int] = WORK_SIZE) -> Window:
    """The centred window of a `height` x `width` image that has the shape of `size` (H, W).

    Raises SemcomError when the image is too small to hold a street.
    """
    if min(height, width) < MIN_SIDE:
        raise SemcomError(
            f"A frame of {width}x{height} pixels is too small: give at least {MIN_SIDE} a side."
        )
    scale = min(height / size[0], width / size[1])
    h, w = round(size[0] * scale), round(size[1] * scale)
    return Window((height - h) // 2, (width - w) // 2, h, w)


def window_camera(camera: Camera, window: Window, size: tuple[int, int]) -> Camera:
    """Intrinsics of the images that show `window` of the camera's, scaled to `size` (H, W).

    Distortion acts before the projection to pixels and stays. A camera that is not calibrated
    stays so.
    """
    if not camera.calibrated:
        return replace(camera, height=size[0], width=size[1])
    sy, sx = size[0] / window.height, size[1] / window.width
    # A pixel's centre lies at its integer coordinate, so the grid scales about (-0.5, -0.5).
    return replace(
        camera,
        height=size[0],
        width=size[1],
        fx=camera.fx * sx,
        fy=camera.fy * sy,
        cx=(camera.cx - window.left + 0.5) * sx - 0.5,
        cy=(camera.cy - window.top + 0.5) * sy - 0.5,
    )


def fit_camera(camera: Camera, size: tuple[int, int] = WORK_SIZE) -> Camera:
    """Intrinsics of `camera` after `fit` to `size` (H, W)."""
    if not camera.calibrated:
        return Camera(*size)
    return window_camera(camera, fit_window(camera.height, camera.width, size), size)


def fit(frame: Frame, size: tuple[int, int] = WORK_SIZE) -> Frame:
    """Crop the centred window with the shape of `size` (H, W) and scale it.

    Labels, depth and instances are the nearest pixel's: a mean across an edge would belong to
    neither side. Objects outside the window are left out.
    """
    height, width = frame.image.shape[:2]
    w = fit_window(height, width, size)
    rows, cols = slice(w.top, w.top + w.height), slice(w.left, w.left + w.width)
    to = (size[1], size[0])
    shrink = w.height > size[0]
    image = frame.image[rows, cols]
    if image.shape[:2] != size:
        image = cv2.resize(image, to, interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)

    def nearest(pixels: np.ndarray | None) -> np.ndarray | None:
        if pixels is None:
            return None
        return cv2.resize(pixels[rows, cols], to, interpolation=cv2.INTER_NEAREST_EXACT)

    return replace(
        frame,
        image=np.ascontiguousarray(image),
        labels=nearest(frame.labels),
        camera=fit_camera(frame.camera, size) if frame.camera else None,
        depth=nearest(frame.depth),
        instances=nearest(frame.instances),
        objects=None if frame.objects is None else _cropped(frame.objects, w, size),
    )


def _cropped(objects: tuple[Object, ...], w: Window, size: tuple[int, int]) -> tuple[Object, ...]:
    cropped = (o.cropped(w.left, w.top, w.width, w.height, size) for o in objects)
    return tuple(o for o in cropped if o is not None)
