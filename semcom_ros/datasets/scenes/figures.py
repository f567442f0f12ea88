# SPDX-License-Identifier: Apache-2.0
"""Figures of limbs and discs that keep their width from every side: people and bicycles."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache

import numpy as np

from semcom_ros.datasets.scenes.canvas import Canvas, Colour, Solid
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.things import Bicycle, Person, Rider

_TURN = np.arange(10) * math.pi / 5
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN), 0 * _TURN], 1)
Point = tuple[float, float, float]


class Figure:
    """Limbs and discs (right, up, forward), all of them added before it is first painted."""

    def __init__(self) -> None:
        self._limbs: list[tuple[Point, Point]] = []
        self._widths: list[tuple[float, float]] = []
        self._discs: list[Point] = []
        self._radii: list[tuple[float, float]] = []
        self._colours: tuple[list[Colour], list[Colour]] = [], []

    def limb(self, a: Point, b: Point, wide: float, colour: Colour, taper: float = 0.8) -> None:
        """A limb from `a` to `b`, `wide` metres across at `a` and `taper` times that at `b`."""
        self._limbs.append((a, b))
        self._widths.append((wide / 2, wide / 2 * taper))
        self._colours[0].append(colour)

    def disc(self, centre: Point, radius: float, colour: Colour, tall: float = 1.0) -> None:
        """A disc that faces the camera, `tall` times as high as wide."""
        self._discs.append(centre)
        self._radii.append((radius, radius * tall))
        self._colours[1].append(colour)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        """All points [N, 3], widths [2, limbs], radii [discs, 3] and colours [polygons, 3]."""
        return (
            np.array([p for limb in self._limbs for p in limb] + self._discs),
            np.array(self._widths).T,
            np.insert(np.reshape(self._radii, (-1, 2)), 2, 0.0, 1),
            np.array(self._colours[0] + self._colours[1]),
        )

    def paint(
        self,
        canvas: Canvas,
        street: Street,
        it: Person | Rider | Bicycle,
        label: int,
        turn: float = 0.0,
    ) -> None:
        """Paint the limbs and then the discs, all of class `label`, turned right by `turn`."""
        count, (local, widths, radii, colours) = len(self._limbs), self._arrays
        at = canvas.view.to_camera(street.placed(it.s, it.x, turned(local, turn)))
        if at[:, 2].min() < 1.2:
            return
        a, b = at[: 2 * count : 2], at[1 : 2 * count : 2]
        along = b - a
        across = np.stack([-along[:, 1], along[:, 0], 0 * along[:, 0]], 1)
        across /= np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9
        wide, thin = (across * w[:, None] for w in widths)
        limbs = np.stack([a - wide, a + wide, b + thin, b - thin], 1).reshape(-1, 3)
        discs = at[2 * count :, None] + _CIRCLE[None] * radii[:, None]
        points = np.concatenate([limbs, discs.reshape(-1, 3)])
        spans = _spans(count, len(self._discs))
        canvas.solid(Solid(points, spans, colours, (label,) * len(spans)), points, it.id)


def turned(local: np.ndarray, turn: float) -> np.ndarray:
    """Points [N, 3] = (right, up, forward), turned right by `turn` radians about the vertical."""
    c, n = math.cos(turn), math.sin(turn)
    return local @ np.array([(c, 0.0, -n), (0.0, 1.0, 0.0), (n, 0.0, c)])


@lru_cache(maxsize=16)
def _spans(limbs: int, discs: int) -> tuple[tuple[int, int], ...]:
    ends = np.cumsum([4] * limbs + [len(_CIRCLE)] * discs).tolist()
    return tuple(zip([0, *ends[:-1]], ends, strict=True))
