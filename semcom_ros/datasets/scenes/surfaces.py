# SPDX-License-Identifier: Apache-2.0
"""What each pixel of a frame shows of the canvas: its class, and exact depth and instances."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from semcom_ros.datasets.scenes.geometry import NEAR, Viewpoint
from semcom_ros.labels import NAMES, TRAIN_ID
from semcom_ros.objects import Box2D

SCALE = 2
"""Canvas pixels a frame pixel, across and down; the image is their mean."""
_FAR_TO_NEAR = (
    "sky", "building", "wall", "terrain", "road", "sidewalk", "fence", "vegetation", "train", "bus",
    "truck", "car", "motorcycle", "bicycle", "rider", "person", "pole", "traffic light",
    "traffic sign",
)  # fmt: skip
_CLASS_AT = np.array([TRAIN_ID[name] for name in _FAR_TO_NEAR], np.uint8)
_PLACE_OF = np.zeros(len(NAMES), np.uint8)
_PLACE_OF[_CLASS_AT] = np.arange(len(_CLASS_AT))


def labels_shown(canvas_labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W], no void, of canvas labels [2H, 2W]: the class at which, counted from
    the front, half of the pixel is covered.

    Of two halves it is the nearer, so that what is thin stays: any one of the four canvas pixels
    alone would lie a quarter pixel beside the image, and twigs and poles would be there or not by
    chance. Front and back go by class, as streets mostly have them: without truth nobody notes
    which surface lies in front.
    """
    a, b, c, d = _parts(_PLACE_OF[canvas_labels])
    # The second nearest of four.
    second = np.maximum(np.minimum(np.maximum(a, b), np.maximum(c, d)), np.minimum(a, b))
    return _CLASS_AT[np.maximum(second, np.minimum(c, d), out=second)]


def surfaces_shown(
    canvas_surfaces: np.ndarray, canvas_labels: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Surface numbers uint16 [H, W]: of the canvas pixels with the label shown the one in front.

    canvas_surfaces: uint16 [2H, 2W], rising from far to near. canvas_labels: uint8 [2H, 2W].
    labels: uint8 [H, W], those that `labels_shown` gives of them.
    """
    parts = zip(_parts(canvas_surfaces), _parts(canvas_labels), strict=True)
    return np.max([np.where(part == labels, numbers, 0) for numbers, part in parts], 0)


def _parts(canvas: np.ndarray) -> list[np.ndarray]:
    """The first, second, ... canvas pixel of each frame pixel, [H, W] each."""
    return [canvas[y::SCALE, x::SCALE] for y in range(SCALE) for x in range(SCALE)]


class Surfaces:
    """The number of the surface that each canvas pixel shows; 0 is ground or sky.

    It is painted along with the canvas, polygon by polygon with the same corners, so that it agrees
    with the labels at every pixel. A plane's inverse depth is affine in the pixel's position, so
    three numbers a surface give the depth of all its pixels.
    """

    def __init__(self, height: int, width: int, shift: int) -> None:
        """For a canvas of `height` x `width` pixels; corners come as integers with `shift`
        fractional bits."""
        self._index = np.zeros((height, width), np.uint16)
        self._shift = shift
        self._points: list[np.ndarray] = []
        self._lengths: list[int] = []
        self._owners: list[int] = [0]
        self._painted: dict[int, tuple[range, int, tuple[slice, slice]]] = {}

    def polygons(
        self,
        pieces: Sequence[np.ndarray],
        camera_points: np.ndarray,
        lengths: Sequence[int],
        owner: int,
    ) -> None:
        """Fill `pieces`, canvas polygons int32 [n, 2], in order; together they are all of `owner`.

        camera_points: float [N, 3], `lengths` of them one polygon before it was clipped, in turn.
        owner: the id of the object that they are, or 0.
        """
        first = self._add(camera_points, lengths, owner)
        for number, piece in enumerate(pieces, first):
            if len(piece) > 2:
                cv2.fillPoly(self._index, [piece], number, cv2.LINE_8, self._shift)
        if owner:
            numbers = range(first, first + len(lengths))
            self._count(owner, numbers, np.concatenate([p for p in pieces if len(p)]))

    def quad(self, at: tuple[slice, slice], corners: np.ndarray, camera_points: np.ndarray) -> None:
        """Fill the convex polygon `corners`, int32 [4, 2] in the window `at` of the canvas."""
        number = self._add(camera_points, [len(camera_points)])
        cv2.fillConvexPoly(self._index[at], corners, number, cv2.LINE_8, self._shift)

    def sprite(self, at: tuple[slice, slice], mask: np.ndarray, camera_points: np.ndarray) -> None:
        """Fill the window `at` where `mask` is set; the sprite stands in the points' plane."""
        self._index[at][mask.view(bool)] = self._add(camera_points, [len(camera_points)])

    def _add(self, camera_points: np.ndarray, lengths: Sequence[int], owner: int = 0) -> int:
        """Note surfaces that are polygons of `lengths` points each; the number of the first."""
        first = len(self._owners)
        self._points.append(camera_points)
        self._lengths += lengths
        self._owners += [owner] * len(lengths)
        return first

    def _count(self, owner: int, numbers: range, corners: np.ndarray) -> None:
        """Note how many canvas pixels `owner`, the surfaces `numbers`, has before anything nearer
        is painted over it."""
        step = SCALE << self._shift
        # Filling covers a pixel that its polygon only touches.
        left, top = np.maximum(corners.min(0) // step - 1, 0).tolist()
        right, bottom = np.maximum(corners.max(0) // step + 2, 0).tolist()
        window = slice(top, bottom), slice(left, right)
        self._painted[owner] = numbers, self._showing(numbers, window), window

    def _showing(self, numbers: range, window: tuple[slice, slice]) -> int:
        """How many canvas pixels in a window of the frame show one of the surfaces `numbers`."""
        index = self._index[tuple(slice(s.start * SCALE, s.stop * SCALE) for s in window)]
        return int(np.count_nonzero((index >= numbers.start) & (index < numbers.stop)))

    def maps(
        self, view: Viewpoint, canvas_labels: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depth float32 [H, W] in metres, NaN in the sky, and instances uint16 [H, W], 0 none.

        canvas_labels: uint8 [2H, 2W], what was painted along. labels: uint8 [H, W], the frame's.
        """
        index = surfaces_shown(self._index, canvas_labels, labels).astype(np.intp)
        camera, planes = view.camera, self._planes()
        right = ((np.arange(camera.width) - camera.cx) / camera.fx).astype(np.float32)
        up = ((camera.cy - np.arange(camera.height)) / camera.fy).astype(np.float32)[:, None]
        a, b, c, least, most = (column.take(index) for column in planes)
        a *= right
        b *= up
        a += b
        a += c
        inverse = np.minimum(np.maximum(a, least, out=a), most, out=a)
        ground = np.broadcast_to(view.ground_depth().astype(np.float32)[:, None], index.shape)
        depth = np.where(index == 0, ground, 1 / inverse)
        return depth, np.array(self._owners, np.uint16).take(index)

    def _planes(self) -> np.ndarray:
        """float32 [5, surfaces]: of each inverse depth a * right + b * up + c, its least and most.

        right and up are a pixel's ray at depth 1. The bounds are those of the polygon's corners:
        the edge pixels that filling adds would run away on a surface seen at a grazing angle.
        """
        if not self._points:
            return np.ones((5, 1), np.float32)
        points = np.concatenate(self._points)
        lengths = np.array(self._lengths)
        starts = np.cumsum(lengths) - lengths
        ends = starts + lengths
        # All but a car's flank are flat, and its foot, two corners on each end, says its plane.
        a, b, c, d = (points[i] for i in (starts, starts + 1, ends - 2, ends - 1))
        normal, middle = np.cross(c - a, d - b), (a + b + c + d) / 4
        offset = (normal * middle).sum(1)
        flat = np.abs(offset) > 1e-9
        plane = (normal / np.where(flat, offset, 1.0)[:, None]).T
        plane[:, ~flat] = 0.0
        plane[2, ~flat] = 1 / np.maximum(middle[~flat, 2], NEAR)
        near, far = (
            np.maximum(edge.reduceat(points[:, 2], starts), NEAR)
            for edge in (np.minimum, np.maximum)
        )
        table = np.stack([*plane, 1 / far, 1 / near])
        return np.concatenate([np.ones((5, 1)), table], 1).astype(np.float32)

    def seen(self, owner: int, instances: np.ndarray) -> tuple[Box2D, float] | None:
        """The box around the pixels of `owner` in `instances` [H, W], and the share not hidden.

        None if it is not in the picture or wholly hidden.
        """
        if owner not in self._painted:
            return None
        numbers, total, window = self._painted[owner]
        shown = instances[window] == owner
        rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
        if not len(rows):
            return None
        top, left = window[0].start + rows[0], window[1].start + columns[0]
        size = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
        box = float(left), float(top), float(size[0]), float(size[1])
        return box, self._showing(numbers, window) / total
