# SPDX-License-Identifier: Apache-2.0
"""Objects that are known exactly: what they are, where in the picture and where in space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

Box2D = tuple[float, float, float, float]
"""Left, top, width and height in pixels, edges not centres: pixel (0, 0) alone is (0, 0, 1, 1)."""


@dataclass(frozen=True)
class Box3D:
    """A box that stands upright on the ground, in the camera's optical frame.

    centre: metres (x right, y down, z along the optical axis). size: length, width and height in
    metres. yaw: radians that the length's direction is turned right of the optical axis, 0 for what
    heads away from the camera; a right-handed turn about y. pitch: radians that the camera looks up
    from the level ground, by which an upright box leans in its frame.
    """

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    pitch: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """Unit vectors [3, 3] in the optical frame: rows along length, to its right, and up."""
        c, n = math.cos(self.yaw), math.sin(self.yaw)
        p, q = math.cos(self.pitch), math.sin(self.pitch)
        return np.array([[n, q * c, p * c], [c, -q * n, -p * n], [0.0, -p, q]])

    def corners(self) -> np.ndarray:
        """The eight corners float64 [8, 3] in the optical frame."""
        signs = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
        return np.array(self.centre) + signs * np.array(self.size) / 2 @ self.axes

    def local(self, points: np.ndarray) -> np.ndarray:
        """Optical points [..., 3] as metres along length, to its right and up from the centre."""
        return (points - np.array(self.centre)) @ self.axes.T


@dataclass(frozen=True)
class Object:
    """One thing in a frame.

    name: a class name of `labels.NAMES`. id: its value in `Frame.instances`, the same from frame to
    frame. box: around its visible pixels. visible: share of its pixels in the picture, 0 to 1, that
    nothing hides; what lies outside the picture does not count.
    """

    name: str
    id: int
    box: Box2D
    box_3d: Box3D
    visible: float = 1.0

    def cropped(
        self, left: float, top: float, width: float, height: float, to: tuple[int, int]
    ) -> Object | None:
        """The object in a crop of the picture that is scaled `to` (H, W); None if outside it."""
        sx, sy = to[1] / width, to[0] / height
        x0, y0, w, h = self.box
        x0, x1 = (min(max((x - left) * sx, 0.0), float(to[1])) for x in (x0, x0 + w))
        y0, y1 = (min(max((y - top) * sy, 0.0), float(to[0])) for y in (y0, y0 + h))
        if x0 >= x1 or y0 >= y1:
            return None
        return replace(self, box=(x0, y0, x1 - x0, y1 - y0))
