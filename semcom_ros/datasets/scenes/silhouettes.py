# SPDX-License-Identifier: Apache-2.0
"""How pedestrians, riders and bicycles are painted: limbs and discs, as wide from every side."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.canvas import Canvas, Solid
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.shapes import PAINTS, disc
from semcom_ros.datasets.scenes.things import Bicycle, Person, Rider
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

PERSON, RIDER, BICYCLE = (TRAIN_ID[name] for name in ("person", "rider", "bicycle"))
COATS = np.array([
    (38, 38, 44), (60, 62, 72), (30, 40, 70), (104, 30, 34), (96, 92, 84), (150, 146, 138),
    (70, 84, 60), (170, 60, 40), (44, 78, 110), (196, 190, 180), (84, 60, 48),
])  # fmt: skip
SKINS = ((214, 172, 148), (196, 150, 122), (150, 104, 78), (104, 72, 54))
_BICYCLES = 35
"""Bicycles that differ: paints, and with a basket, a bag or neither."""
_REAR, _NOSE, _CRANK, _SADDLE, _HEAD = (
    (0, 0.34, -0.52), (0, 0.34, 0.52), (0, 0.3, 0.0), (0, 0.9, -0.2), (0, 0.85, 0.4)
)  # fmt: skip
_FRAME = ((_REAR, _SADDLE), (_SADDLE, _HEAD), (_CRANK, _HEAD), (_NOSE, (0, 1.02, 0.38)),
          (_CRANK, _SADDLE))  # fmt: skip
_CIRCLE = disc(10)
Point = tuple[float, float, float]


class Silhouette:
    """Limbs and discs (right, up, forward), all of them added before it is first painted."""

    def __init__(self) -> None:
        self._limbs: list[tuple[Point, Point, float, float, Colour]] = []
        self._discs: list[tuple[Point, Point, Colour]] = []

    def limb(self, a: Point, b: Point, wide: float, colour: Colour, taper: float = 0.8) -> None:
        """A limb from `a` to `b`, `wide` metres across at `a` and `taper` times that at `b`."""
        self._limbs.append((a, b, wide / 2, wide / 2 * taper, colour))

    def disc(self, centre: Point, radius: float, colour: Colour, tall: float = 1.0) -> None:
        """A disc that faces the camera, `tall` times as high as wide."""
        self._discs.append((centre, (radius, radius * tall, 0.0), colour))

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        """All points [N, 3], widths [2, limbs], radii [discs, 3] and colours [polygons, 3]."""
        return (
            np.array([p for limb in self._limbs for p in limb[:2]] + [d[0] for d in self._discs]),
            np.array([limb[2:4] for limb in self._limbs]).T,
            np.reshape([d[1] for d in self._discs], (-1, 3)),
            np.array([each[-1] for each in (*self._limbs, *self._discs)]),
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
        c, n = math.cos(turn), math.sin(turn)
        turned = local @ np.array([(c, 0.0, -n), (0.0, 1.0, 0.0), (n, 0.0, c)])
        at = canvas.view.to_camera(street.placed(it.s, it.x, turned))
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
        lengths = (4,) * count + (len(_CIRCLE),) * len(discs)
        canvas.solid(Solid(points, lengths, colours, label), points, it.id)


class PersonLook(NamedTuple):
    """Size relative to 1.75 m, and colours."""

    size: float
    coat: np.ndarray
    legs: np.ndarray
    skin: Colour
    hair: np.ndarray


@lru_cache(maxsize=64)
def _look(style: int) -> PersonLook:
    rng = np.random.default_rng((style, 51))
    coat, legs = (COATS[i] * rng.uniform(0.8, 1.2) for i in rng.integers(len(COATS), size=2))
    skin = SKINS[int(rng.choice(4, p=(0.45, 0.3, 0.15, 0.1)))]
    hair = np.array((52, 40, 32)) * rng.uniform(0.4, 2.6)
    return PersonLook(rng.uniform(0.9, 1.08), coat, legs * 0.6, skin, hair)


def person(canvas: Canvas, street: Street, it: Person) -> None:
    figure, (k, coat, legs, skin, hair) = Silhouette(), _look(it.style)
    swing = 0.3 * math.sin(it.stride)
    near = it.s - canvas.view.position[2] < 35
    for side, z in ((-1, swing), (1, -swing)):
        knee, foot = (side * 0.09, 0.48 * k, z * 0.6 + 0.05), (side * 0.1, 0.06, z)
        figure.limb((side * 0.09, 0.9 * k, 0.0), knee, 0.19, legs)
        figure.limb(knee, foot, 0.15, legs, 0.7)
        if near:
            heel, toe = (side * 0.1, 0.06, z - 0.05), (side * 0.1, 0.02, z + 0.16)
            figure.limb(heel, toe, 0.1, (28, 26, 26))
    figure.limb((0, 0.8 * k, 0), (0, 1.46 * k, 0), 0.4, coat, 1.12)
    if near:
        for side, z in ((-1, -swing), (1, swing)):
            sleeve = coat * (0.82 if side < 0 else 1.1)
            elbow = side * 0.25, 1.12 * k, z * 0.5 - 0.03
            figure.limb((side * 0.2, 1.42 * k, 0), elbow, 0.13, sleeve)
            figure.limb(elbow, (side * 0.25, 0.88 * k, z * 0.9 + 0.05), 0.11, sleeve)
    figure.limb((0, 1.42 * k, 0), (0, 1.56 * k, 0.02), 0.12, skin)
    figure.disc((0, 1.64 * k, 0.02), 0.105, skin, 1.25)
    figure.disc((0, 1.7 * k, -0.01), 0.1, hair, 0.9)
    figure.paint(canvas, street, it, PERSON, 0.0 if it.heading > 0 else math.pi)


def person_extent(it: Person) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a pedestrian over a whole stride."""
    # A box that breathed with the walk would be nobody's size.
    return np.array([(-0.31, -0.03, -0.4), (0.31, 1.7 * _look(it.style).size + 0.1, 0.52)])


def rider(canvas: Canvas, street: Street, it: Rider) -> None:
    figure, (k, coat, legs, skin, hair) = Silhouette(), _look(it.style)
    for side in (-1, 1):
        turn = it.stride + (math.pi if side > 0 else 0)
        pedal = (side * 0.12, 0.32 + 0.16 * math.sin(turn), 0.16 * math.cos(turn))
        knee = (side * 0.13, 0.68 + 0.1 * math.sin(turn), 0.28)
        figure.limb((side * 0.1, 0.95, -0.2), knee, 0.2, legs)
        figure.limb(knee, pedal, 0.15, legs, 0.7)
    figure.limb((0, 0.92, -0.22), (0, 1.45 * k, 0.08), 0.4, coat, 1.1)
    for side in (-1, 1):
        figure.limb((side * 0.2, 1.4 * k, 0.08), (side * 0.26, 1.04, 0.36), 0.12, coat * 0.9)
    figure.disc((0, 1.6 * k, 0.12), 0.11, skin, 1.2)
    figure.disc((0, 1.66 * k, 0.1), 0.12, (198, 202, 60) if it.style % 2 else hair, 0.8)
    figure.paint(canvas, street, it, RIDER)


def rider_extent(it: Rider) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a rider without the bicycle."""
    return np.array([(-0.33, 0.06, -0.48), (0.33, 1.66 * _look(it.style).size + 0.1, 0.46)])


def bicycle(canvas: Canvas, street: Street, it: Bicycle) -> None:
    ahead = it.s - canvas.view.position[2]
    figure = _bicycle(it.style % _BICYCLES, 9 if ahead < 20 else 6 if ahead < 50 else 4)
    figure.paint(canvas, street, it, BICYCLE, it.turn)


@lru_cache(maxsize=3 * _BICYCLES)
def _bicycle(style: int, sides: int) -> Silhouette:
    """A bicycle whose wheels have so many sides."""
    figure = Silhouette()
    a = np.arange(sides + 1) * 2 * math.pi / sides
    for z in (-0.52, 0.52):
        rim = [(0.0, 0.34 + 0.34 * math.sin(t), z + 0.34 * math.cos(t)) for t in a]
        for p, q in zip(rim[:-1], rim[1:], strict=True):
            figure.limb(p, q, 0.07, (26, 26, 28), 1.0)
    for p, q in _FRAME:
        figure.limb(p, q, 0.06, 0.8 * PAINTS[style % len(PAINTS)], 1.0)
    figure.limb((-0.28, 1.02, 0.36), (0.28, 1.02, 0.36), 0.05, (30, 30, 30), 1.0)
    figure.limb((0, 0.94, -0.34), (0, 0.94, -0.1), 0.09, (24, 24, 26), 0.5)
    if style % 3 == 0:
        figure.limb((0, 0.72, 0.62), (0, 0.98, 0.62), 0.36, (112, 96, 70), 1.1)
    elif style % 3 == 1:
        figure.limb((0, 0.72, -0.62), (0, 0.42, -0.62), 0.34, (52, 54, 60), 0.9)
    return figure


def bicycle_extent(it: Bicycle) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a bicycle."""
    return np.array([(-0.33, -0.03, -0.89), (0.33, 1.08, 0.89)])
