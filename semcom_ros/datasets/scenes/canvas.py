# SPDX-License-Identifier: Apache-2.0
"""The picture being painted: colour and class of every pixel, filled by the same polygons."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from semcom_ros.datasets.scenes.geometry import NEAR, Viewpoint, clip_near
from semcom_ros.datasets.scenes.shapes import Polygon
from semcom_ros.datasets.scenes.surfaces import SCALE, Surfaces
from semcom_ros.datasets.scenes.textures import Pyramid, level
from semcom_ros.datasets.scenes.weather import Light

_SHIFT = 4


@dataclass(frozen=True)
class Solid:
    """Polygons in painting order: their `points` float [N, 3], `lengths` of them to each polygon,
    `colours` float [K, 3], and the one class that they are."""

    points: np.ndarray
    lengths: tuple[int, ...]
    colours: np.ndarray
    label: int

    @staticmethod
    def of(polygons: Iterable[Polygon], label: int) -> Solid:
        points, colours = zip(*polygons, strict=True)
        lengths = tuple(len(p) for p in points)
        return Solid(np.concatenate(points).astype(float), lengths, np.array(colours, float), label)


@lru_cache(maxsize=64)
def _spans(lengths: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Where each polygon begins and ends among the points of a solid."""
    ends = np.cumsum(lengths).tolist()
    return tuple(zip([0, *ends[:-1]], ends, strict=True))


class Canvas:
    """`pixels`: uint8 [2H, 2W, 4], RGB and trainId, painted from far to near.

    surfaces: what each pixel shows beyond its class, or None where nobody asks.
    """

    def __init__(
        self, view: Viewpoint, light: Light, pixels: np.ndarray, truth: bool = False
    ) -> None:
        self.view, self.light, self.pixels = view, light, pixels
        self.surfaces = Surfaces(pixels.shape[0], pixels.shape[1], _SHIFT) if truth else None
        self._haze = np.array(light.haze)

    def faded(self, colours: np.ndarray, distance: float) -> np.ndarray:
        """`colours` [K, 3] as they look through `distance` metres of air."""
        clear = math.exp(-max(distance, 0.0) / self.light.sight)
        return colours * clear + self._haze * (1 - clear)

    def pixels_of(self, camera_points: np.ndarray) -> np.ndarray:
        """Canvas positions [N, 2] of camera points [N, 3] in front of the camera."""
        return self.view.to_pixels(camera_points) * SCALE + (SCALE - 1) / 2

    def _fixed(self, camera_points: np.ndarray) -> np.ndarray:
        """Canvas positions as the fixed-point integers that OpenCV fills polygons with."""
        return (self.pixels_of(camera_points) * (1 << _SHIFT)).astype(np.int32)

    def solid(self, solid: Solid, camera_points: np.ndarray, owner: int = 0) -> None:
        """Fill the polygons of `solid`, whose points lie at `camera_points` [N, 3], in order.

        owner: the id of the object that they are, all of it; 0 for what is none.
        """
        depth = camera_points[:, 2]
        near, far = float(depth.min()), float(depth.max())
        if far <= NEAR:
            return
        colours = self.faded(solid.colours, (near + far) / 2).tolist()
        if near > NEAR:
            corners = self._fixed(camera_points)
            pieces = [corners[a:b] for a, b in _spans(solid.lengths)]
        else:
            clipped = [clip_near(camera_points[a:b]) for a, b in _spans(solid.lengths)]
            pieces = [self._fixed(c) for c in clipped]
        for piece, colour in zip(pieces, colours, strict=True):
            if len(piece) > 2:
                cv2.fillPoly(self.pixels, [piece], (*colour, solid.label), cv2.LINE_8, _SHIFT)
        if self.surfaces is not None:
            self.surfaces.polygons(pieces, camera_points, solid.lengths, owner)

    def window(self, corners: np.ndarray) -> tuple[slice, slice] | None:
        """Rows and columns of the canvas that `corners` [N, 2] span; None if outside."""
        height, width = self.pixels.shape[:2]
        left, top = np.maximum(np.floor(corners.min(0)), 0).astype(int)
        right, bottom = np.minimum(np.ceil(corners.max(0)) + 1, (width, height)).astype(int)
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)

    def surface(self, camera_points: np.ndarray, texture: Pyramid) -> None:
        """Stretch `texture`, of levels uint8 [h, w, 4] (RGB, trainId), over a quadrilateral.

        `camera_points` [4, 3] are its corners, clockwise from the texture's top left.
        """
        corners = self.pixels_of(camera_points)
        at = self.window(corners)
        if at is None:
            return
        # Averaging to the size on the canvas first keeps far walls from flickering.
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
        high = max(abs(y3 - y0), abs(y2 - y1))
        image = level(texture, high)
        w = max(2, min(int(max(abs(x1 - x0), abs(x2 - x3))), image.shape[1]))
        h = max(2, min(int(high), image.shape[0]))
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
        image = self._hazy(image, float(camera_points[:, 2].mean()), int(image[0, 0, 3]))
        target = (corners - (at[1].start, at[0].start)).astype(np.float32)
        source = np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float32)
        roi = self.pixels[at]
        warped = cv2.warpPerspective(
            image,
            cv2.getPerspectiveTransform(source, target),
            roi.shape[1::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        mask = np.zeros(roi.shape[:2], np.uint8)
        fixed = (target * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(mask, fixed, 255, cv2.LINE_8, _SHIFT)
        cv2.copyTo(warped, mask, roi)
        if self.surfaces is not None:
            self.surfaces.quad(at, fixed, camera_points)

    def _hazy(self, image: np.ndarray, distance: float, last: int) -> np.ndarray:
        """`image` uint8 [h, w, 4] seen through the air; its fourth channel fades into `last`."""
        clear = math.exp(-distance / self.light.sight)
        if clear > 0.98:
            return image
        haze = np.empty_like(image)
        haze[:] = (*map(int, self.light.haze), last)
        return cv2.addWeighted(image, clear, haze, 1 - clear, 0)

    def sprite(
        self,
        box: tuple[float, float, float, float],
        sprite: Pyramid,
        camera_points: np.ndarray,
        label: int,
    ) -> None:
        """Paste `sprite`, of levels uint8 [h, w, 4] (RGB, opacity), into `box` (x0, y0, x1, y1).

        `camera_points` [3, 3] are the sprite's foot and two other points of the plane it stands in.
        """
        x0, y0, x1, y1 = box
        at = self.window(np.array([[x0, y0], [x1, y1]]))
        if at is None:
            return
        image = level(sprite, (y1 - y0) * 0.75)
        roi = self.pixels[at]
        sx, sy = (x1 - x0) / image.shape[1], (y1 - y0) / image.shape[0]
        matrix = np.array([[sx, 0, x0 - at[1].start], [0, sy, y0 - at[0].start]])
        placed = cv2.warpAffine(image, matrix, roi.shape[1::-1], flags=cv2.INTER_LINEAR)
        mask = (placed[..., 3] > 127).view(np.uint8)
        placed = self._hazy(placed, float(camera_points[0, 2]), 0)
        placed[..., 3] = label
        cv2.copyTo(placed, mask, roi)
        if self.surfaces is not None:
            self.surfaces.sprite(at, mask, camera_points)
