# SPDX-License-Identifier: Apache-2.0
"""Where the street runs, where the camera is on it, and where a point lands in the picture.

World: X to the right of the start, Y up from the road, Z ahead; metres. Things are placed in street
coordinates: `s` metres along the street and `x` metres to the right of its centre line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from semcom_ros.frame import Camera

NEAR = 0.6
"""Nothing nearer than this (metres along the optical axis) is drawn."""
_GRAZING = 0.004
"""A ray that falls less than this many metres a metre ahead sees sky instead of ground."""


@dataclass(frozen=True)
class Street:
    """A gently curving street: X = sum of `amplitude * sin(s / length + phase)` over its waves.

    Half widths in metres: `lane` from the centre line to the lane's edge, `road` to the kerb,
    `front` to the building line.
    """

    waves: tuple[tuple[float, float, float], ...]
    lane: float
    road: float
    front: float

    def centre(self, s: np.ndarray | float) -> np.ndarray:
        """World X of the centre line at `s`."""
        return np.asarray(sum(a * np.sin(s / length + phase) for a, length, phase in self.waves))

    def slope(self, s: np.ndarray | float) -> np.ndarray:
        """dX/ds of the centre line at `s`: the tangent of the street's heading."""
        waves = self.waves
        return np.asarray(sum(a / n * np.cos(s / n + phase) for a, n, phase in waves))

    def points(self, sxy: np.ndarray | Sequence[Sequence[float] | np.ndarray]) -> np.ndarray:
        """World points [N, 3] of street points [N, 3] = (s, x, height)."""
        s, x, y = np.asarray(sxy, np.float64).T
        return np.stack([self.centre(s) + x, y, s], 1)

    def placed(self, s: np.ndarray | float, x: np.ndarray | float, local: np.ndarray) -> np.ndarray:
        """World points of `local` [N, 3] = (right, up, forward) of things that face along `s`.

        `s` and `x` place all points, or each point [N].
        """
        angle = np.arctan(self.slope(s))
        c, n = np.cos(angle), np.sin(angle)
        right, up, forward = np.asarray(local, np.float64).T
        return np.stack(
            [
                self.centre(s) + x + c * right + n * forward,
                up,
                s - n * right + c * forward,
            ],
            1,
        )


@dataclass(frozen=True)
class Viewpoint:
    """A pinhole camera in the world: position (X, Y, Z), yaw to the right and pitch up, radians."""

    camera: Camera
    position: tuple[float, float, float]
    yaw: float
    pitch: float

    @cached_property
    def _rotation(self) -> np.ndarray:
        """Columns: the camera's right, up and forward axes in the world."""
        c, n = math.cos(self.yaw), math.sin(self.yaw)
        p, q = math.cos(self.pitch), math.sin(self.pitch)
        return np.array([[c, -n * q, n * p], [0, p, q], [-n, -c * q, c * p]])

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Camera coordinates [N, 3] (right, up, forward) of world points [N, 3]."""
        return (points - self.position) @ self._rotation

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels [N, 2] (column, row) of camera points [N, 3] that lie in front of the camera."""
        k = self.camera
        return points[:, :2] / points[:, 2:] * (k.fx, -k.fy) + (k.cx, k.cy)

    @cached_property
    def _fall(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each row's ray at depth 1 (float64 [H]): metres up the image, metres it falls."""
        k = self.camera
        up = (k.cy - np.arange(k.height)) / k.fy
        return up, -(math.cos(self.pitch) * up + math.sin(self.pitch))

    def ground_depth(self) -> np.ndarray:
        """Depth float64 [H] in metres of the ground Y = 0 in each row, NaN above it."""
        down = self._fall[1]
        return np.divide(self.position[1], down, np.full(down.shape, np.nan), where=down > _GRAZING)

    def ground(self) -> tuple[int, np.ndarray, np.ndarray]:
        """First row that looks down; world X and Z [rows, W] where it and those below hit Y = 0."""
        k = self.camera
        up, down = self._fall
        ahead = math.cos(self.pitch) - math.sin(self.pitch) * up
        top = int(np.argmax(down > _GRAZING))
        reach = self.position[1] / down[top:, None]
        right = (np.arange(k.width) - k.cx)[None] / k.fx * reach
        ahead = ahead[top:, None] * reach
        c, n = math.cos(self.yaw), math.sin(self.yaw)
        return (
            top,
            self.position[0] + c * right + n * ahead,
            self.position[2] + c * ahead - n * right,
        )


def clip_near(points: np.ndarray) -> np.ndarray:
    """The part of a camera-space polygon [N, 3] that lies beyond `NEAR`: [M, 3], maybe empty."""
    ahead = points[:, 2] > NEAR
    if ahead.all():
        return points
    if not ahead.any():
        return points[:0]
    kept = []
    for i in range(len(points)):
        a, b = points[i - 1], points[i]
        if ahead[i] != ahead[i - 1]:
            kept.append(a + (b - a) * (NEAR - a[2]) / (b[2] - a[2]))
        if ahead[i]:
            kept.append(b)
    return np.array(kept)
