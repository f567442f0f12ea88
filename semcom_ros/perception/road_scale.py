# SPDX-License-Identifier: Apache-2.0
"""Metres from a depth that is known up to scale and shift: the road is a plane under the camera."""

from __future__ import annotations

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.labels import TRAIN_ID

ROAD_SHARE = 0.01
"""Least share of the image that must be road: less does not fix a plane."""
PASSES = 3
OUTLIER = 2.5
"""Pixels this many standard deviations off the plane (by the median) are left out of a pass."""
FARTHEST_M = 1000.0
"""Beyond, one inverse depth of a network cannot be told from another: unknown."""


def metric_depth(
    inverse: np.ndarray, labels: np.ndarray | None, camera: Camera | None, height_m: float
) -> np.ndarray:
    """Depth float32 [H, W] in metres along the optical axis, NaN in the sky and where unknown.

    inverse: [H, W], an unknown scale times inverse depth plus an unknown shift, as MiDaS (Ranftl
    et al. 2020), DPT and Depth Anything predict it. labels: uint8 [H, W] trainId. camera: pinhole
    intrinsics of this image. height_m: the camera's height over the road in metres.

    On a plane with unit normal n, at distance h from the camera, inverse depth is n·r / h for the
    ray r = ((u - cx) / fx, (v - cy) / fy, 1). A plane fitted to `inverse` over the road's rays
    gives n / h times the scale, plus the shift in its last component. The shift is what
    `inverse` says of the sky, infinitely far away; with no sky in view the camera is taken to look
    along the road. The length of what remains is the scale over h, however the camera is turned.

    Raises SemcomError when the camera is not calibrated or is another image's, when no road is in
    view, or when the road does not come nearer towards the camera.
    """
    camera, labels, rows, cols = _road(inverse, labels, camera)
    values = inverse[rows, cols].astype(np.float64)
    plane = _fit_plane(_rays(camera, rows, cols), values)
    sky = labels == TRAIN_ID["sky"]
    shift = float(np.median(inverse[sky])) if sky.mean() >= ROAD_SHARE else plane[2]
    normal = plane - np.array([0.0, 0.0, shift])
    # A road seen from above comes nearer downwards, and its normal leans less than 45 degrees.
    if not normal[1] > np.hypot(normal[0], normal[2]):
        raise SemcomError(
            "The depth cannot be scaled: what it says of the road is no plane under the camera. "
            "Check labels and camera_info, or take a metric depth checkpoint."
        )
    scaled = (inverse - shift) / (np.linalg.norm(normal) * height_m)
    known = ~sky & (scaled > 1 / FARTHEST_M)
    return np.divide(1, scaled, out=np.full(inverse.shape, np.nan), where=known).astype(np.float32)


def _road(
    inverse: np.ndarray, labels: np.ndarray | None, camera: Camera | None
) -> tuple[Camera, np.ndarray, np.ndarray, np.ndarray]:
    """Camera and labels, which are there, and row and column of each pixel of the road."""
    if camera is None or not camera.calibrated:
        raise SemcomError(
            "A relative depth needs the camera's intrinsics to become metres: publish camera_info "
            "of a calibrated camera, or take a metric depth checkpoint."
        )
    if labels is None:
        raise SemcomError(
            "A relative depth needs the road's pixels to become metres: choose a segmentation, or "
            "take a metric depth checkpoint."
        )
    if not inverse.shape == labels.shape == (camera.height, camera.width):
        raise SemcomError(
            f"Depth {inverse.shape}, labels {labels.shape} and camera "
            f"{(camera.height, camera.width)} are not of one image: give all of the same size."
        )
    rows, cols = np.nonzero((labels == TRAIN_ID["road"]) & np.isfinite(inverse))
    if rows.size < ROAD_SHARE * inverse.size:
        raise SemcomError(
            f"A relative depth cannot become metres: only {rows.size} pixels of road are in view, "
            f"and {ROAD_SHARE:.0%} of the image is needed. Take a metric depth checkpoint."
        )
    return camera, labels, rows, cols


def _rays(camera: Camera, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Rays float64 [N, 3] through pixels, 1 along the optical axis."""
    x, y = (cols - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], 1)


def _fit_plane(rays: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The vector [3] whose product with `rays` comes nearest to `values`, outliers left out."""
    kept = np.ones(values.size, bool)
    for _ in range(PASSES):
        plane = np.linalg.lstsq(rays[kept], values[kept], rcond=None)[0]
        off = np.abs(values - rays @ plane)
        # 1.4826 medians are one standard deviation of what is normally distributed.
        kept = off <= max(OUTLIER * 1.4826 * np.median(off), 1e-9 * np.ptp(values))
    return plane
