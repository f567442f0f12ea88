# SPDX-License-Identifier: Apache-2.0
"""Detections and depth to metres in the camera's optical frame (x right, y down, z ahead)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import MIN_SIDE, Camera
from semcom_ros.labels import VOID
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.fusion import class_pixels

DEPTH_ERROR = 0.2
"""Standard deviation of the distance of what is seen of an object, as a part of it."""
SIDE_ERROR, LEAST_PIXELS = 0.06, 0.6
"""That of a box's centre: a part of the box's side, and pixels."""
BODY_ERROR, BODY_ASIDE = 0.33, 0.06
"""That of a body's centre, along the optical axis and across, as a part of how deep it is taken to
be: which way it stands is not seen, and at the frame's edge not even how long it is."""
FEWEST_PIXELS = 4
"""Fewer pixels of known depth do not tell an object's distance."""
REACH = 0.45
"""How far the centre of a closed body lies behind its visible surface, as a part of its extent."""


class Body(NamedTuple):
    """Usual length and width in metres of a class. closed: whether only its surface is seen."""

    length: float
    width: float
    closed: bool = False


BODIES = {
    "person": Body(0.73, 0.67),
    "rider": Body(1.76, 0.60),
    "bicycle": Body(1.70, 0.60),
    "motorcycle": Body(2.11, 0.77),
    "car": Body(4.63, 1.97, True),
    "truck": Body(6.93, 2.51, True),
    "bus": Body(10.5, 2.94, True),
    "train": Body(16.0, 2.6, True),
    "traffic sign": Body(0.1, 0.7),
    "traffic light": Body(0.2, 0.3),
}
"""nuScenes' anchors of CBGS (Zhu et al. 2019, arXiv 1908.09492); riders as KITTI's cyclists."""


@dataclass(frozen=True)
class Detection3D:
    """One object in the optical frame.

    position: its centre in metres (x, y, z). size: metres along x, y and z; its heading is not
    known, so z is a guess from its class. covariance: float64 [3, 3] of the position in m².
    """

    name: str
    score: float
    position: tuple[float, float, float]
    size: tuple[float, float, float]
    covariance: np.ndarray


def check_camera(camera: Camera | None) -> Camera:
    """`camera` if there are metres in it; raises SemcomError that says what it lacks."""
    if camera is None:
        raise SemcomError(
            "The vehicle has told no intrinsics: without focal lengths there are no metres. "
            "Publish camera_info beside its images."
        )
    if not any((camera.fx, camera.fy, camera.cx, camera.cy)):
        raise SemcomError(
            "The intrinsics in camera_info are all zero: without focal lengths there are no "
            "metres. Calibrate the camera."
        )
    numbers = (camera.fx, camera.fy, camera.cx, camera.cy, *camera.distortion)
    if not (all(map(math.isfinite, numbers)) and camera.fx > 0 and camera.fy > 0):
        raise SemcomError(
            f"The focal lengths in camera_info are {camera.fx:g} and {camera.fy:g} pixels and the "
            f"centre is {camera.cx:g}, {camera.cy:g}: nothing is projected with numbers that are "
            "not finite or with a mirrored camera. Calibrate it, or flip its images instead."
        )
    if min(camera.height, camera.width) < MIN_SIDE:
        raise SemcomError(
            f"The images in camera_info have {camera.width}x{camera.height} pixels: without their "
            "true size the focal lengths tell no metres. Publish the height and width that the "
            "camera was calibrated with."
        )
    return camera


def known_depth(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """`depth` [H, W] with NaN for all that is no distance ahead.

    Raises SemcomError when it is not of the camera's size or knows of no pixel.
    """
    if depth.shape != (camera.height, camera.width):
        raise SemcomError(
            f"A depth of shape {depth.shape} does not belong to a camera of "
            f"{camera.width}x{camera.height} pixels."
        )
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        raise SemcomError(
            "No pixel of the depth is known: nothing is projected from this frame. If it stays so, "
            "the depth network does not fit the images."
        )
    return np.where(known, depth, np.float32(np.nan))


def project_points(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Points float32 [H, W, 3] in metres, NaN where `depth` [H, W] is unknown.

    Raises SemcomError as `known_depth` does, and for a lens model that is not known.
    """
    return rays(camera) * known_depth(depth, camera)[..., None]


def project_detections(
    detections: Sequence[Detection],
    depth: np.ndarray,
    camera: Camera,
    labels: np.ndarray | None = None,
) -> list[Detection3D]:
    """Those of `detections` whose distance is known, in their order.

    depth: float32 [H, W] metres, NaN unknown. labels: uint8 [H, W] trainId, or None. The distance
    is the median depth of the pixels in the box that the labels give to its class or superclass,
    or of the middle of the box where there are none. Raises SemcomError as `project_points`.
    """
    depth, unit = known_depth(depth, camera), rays(camera)
    placed = (_place(d, depth, unit, camera, labels) for d in detections)
    return [p for p in placed if p is not None]


@lru_cache(maxsize=4)
def rays(camera: Camera) -> np.ndarray:
    """Where each pixel looks: float32 [H, W, 3], z = 1, without the lens's distortion.

    Raises SemcomError for a distortion model that is not known or has other coefficients.
    """
    k = camera
    matrix = np.array([[k.fx, 0, k.cx], [0, k.fy, k.cy], [0, 0, 1]])
    pixels = np.stack(np.meshgrid(np.arange(k.width), np.arange(k.height)), -1)
    pixels = pixels.reshape(-1, 1, 2).astype(np.float64)
    lens = np.array(k.distortion)
    try:
        if k.distortion_model == "equidistant" and lens.any():
            plane = cv2.fisheye.undistortPoints(pixels, matrix, lens)
        elif k.distortion_model in ("plumb_bob", "rational_polynomial") or not lens.any():
            plane = cv2.undistortPoints(pixels, matrix, lens if lens.any() else None)
        else:
            raise SemcomError(
                f"The distortion model '{k.distortion_model}' in camera_info is not known: rectify "
                "the images, or use plumb_bob, rational_polynomial or equidistant."
            )
    except cv2.error:
        raise SemcomError(
            f"camera_info has {lens.size} distortion coefficients, which the model "
            f"'{k.distortion_model}' does not take: give 5 for plumb_bob, 8 for "
            "rational_polynomial, 4 for equidistant."
        ) from None
    plane = plane.reshape(k.height, k.width, 2)
    found = np.concatenate([plane, np.ones_like(plane[..., :1])], -1).astype(np.float32)
    found.setflags(write=False)
    return found


def _place(
    d: Detection, depth: np.ndarray, unit: np.ndarray, camera: Camera, labels: np.ndarray | None
) -> Detection3D | None:
    surface = _distance(d, depth, labels)
    if surface is None:
        return None
    wide, high = d.width * surface / camera.fx, d.height * surface / camera.fy
    body = BODIES[d.name]
    deep = _extent(body, wide)
    z = surface + (REACH * deep if body.closed else 0.0)
    col, row = d.left + d.width / 2 - 0.5, d.top + d.height / 2 - 0.5
    nearest = (
        int(np.clip(round(row), 0, camera.height - 1)),
        int(np.clip(round(col), 0, camera.width - 1)),
    )
    # Between pixels and outside the frame the ray goes on as the pinhole has it.
    ray = unit[nearest] + np.array(
        [(col - nearest[1]) / camera.fx, (row - nearest[0]) / camera.fy, 0.0]
    )
    return Detection3D(
        d.name,
        d.score,
        tuple((ray * z).tolist()),
        (wide, high, deep),
        position_covariance(ray, z, deep, (d.width, d.height), camera),
    )


def position_covariance(
    ray: np.ndarray, z: float, deep: float, sides: tuple[float, float], camera: Camera
) -> np.ndarray:
    """Covariance float64 [3, 3] in m² of an object at `z` metres on `ray` [3] with z = 1.

    (DEPTH_ERROR z)² ray rayᵀ, since a wrong distance moves it along its ray, plus the error of its
    box across: (z σ / f)² with σ² = (SIDE_ERROR side)² + LEAST_PIXELS², plus that of its body,
    `deep` metres along the optical axis. sides: width and height of the box in pixels. The errors
    were chosen so that the ellipsoid of 95 % holds as much (docs/planner.md, "Metres").
    """
    pixels = np.hypot(SIDE_ERROR * np.array(sides), LEAST_PIXELS)
    across = z * pixels / (camera.fx, camera.fy)
    body = deep * np.array([BODY_ASIDE, 0.0, BODY_ERROR])
    box = np.append(across, 0.0)
    return (DEPTH_ERROR * z) ** 2 * np.outer(ray, ray) + np.diag(box**2 + body**2)


def _distance(d: Detection, depth: np.ndarray, labels: np.ndarray | None) -> float | None:
    """Median depth of the object's pixels, None if too few are known."""
    map_of = np.full(depth.shape, VOID, np.uint8) if labels is None else labels
    box, own = class_pixels(d, map_of)
    inside = depth[box]
    if not own.any():
        rows, cols = inside.shape
        inside = inside[rows // 4 : rows - rows // 4, cols // 4 : cols - cols // 4]
        own = np.ones(inside.shape, bool)
    values = inside[own & np.isfinite(inside)]
    return float(np.median(values)) if values.size >= FEWEST_PIXELS else None


def _extent(body: Body, wide: float) -> float:
    """Metres along the optical axis of a `body` that is `wide` metres across in the picture.

    What looks as wide as its kind is long stands across; in between it is taken as in between.
    """
    turned = np.clip((wide - body.width) / (body.length - body.width), 0, 1)
    return float(body.length + turned * (body.width - body.length))
