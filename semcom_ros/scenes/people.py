# SPDX-License-Identifier: Apache-2.0
"""How people are painted: pedestrians that walk and riders that pedal, made of limbs and discs."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.labels import TRAIN_ID
from semcom_ros.scenes.canvas import Canvas, Colour, Solid
from semcom_ros.scenes.cars import PAINTS
from semcom_ros.scenes.geometry import Street
from semcom_ros.scenes.town import Person, Rider

PERSON, RIDER = TRAIN_ID["person"], TRAIN_ID["rider"]
COATS = (
    (38, 38, 44),
    (60, 62, 72),
    (30, 40, 70),
    (104, 30, 34),
    (96, 92, 84),
    (150, 146, 138),
    (70, 84, 60),
    (170, 60, 40),
    (44, 78, 110),
    (196, 190, 180),
    (84, 60, 48),
)
SKINS = ((214, 172, 148), (196, 150, 122), (150, 104, 78), (104, 72, 54))
_TURN = np.arange(10) * math.pi / 5
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN), 0 * _TURN], 1)
Point = tuple[float, float, float]


class Look(NamedTuple):
    """Size relative to 1.75 m, and colours."""

    size: float
    coat: Colour
    legs: Colour
    skin: Colour
    hair: Colour


@lru_cache(maxsize=1024)
def _look(style: int) -> Look:
    rng = np.random.default_rng((style, 51))
    coat, legs = (
        np.array(COATS[i]) * rng.uniform(0.8, 1.2) for i in rng.integers(len(COATS), size=2)
    )
    skin = SKINS[int(rng.choice(4, p=(0.45, 0.3, 0.15, 0.1)))]
    hair = np.array((52, 40, 32)) * rng.uniform(0.4, 2.6)
    return Look(rng.uniform(0.9, 1.08), tuple(coat), tuple(legs * 0.6), skin, tuple(hair))


class Figure:
    """Limbs and discs (right, up, forward) of somebody."""

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

    def paint(self, canvas: Canvas, street: Street, it: Person | Rider, label: int) -> None:
        """Paint the limbs and then the discs, all of class `label`."""
        heading = it.heading if isinstance(it, Person) else 1
        count = len(self._limbs)
        local = np.array([p for limb in self._limbs for p in limb] + self._discs)
        at = canvas.view.to_camera(street.placed(it.s, it.x, local * (heading, 1, heading)))
        if at[:, 2].min() < 1.2:
            return
        a, b = at[: 2 * count : 2], at[1 : 2 * count : 2]
        along = b - a
        across = np.stack([-along[:, 1], along[:, 0], 0 * along[:, 0]], 1)
        across /= np.hypot(along[:, 0], along[:, 1])[:, None] + 1e-9
        wide, thin = (across * w[:, None] for w in np.array(self._widths).T)
        limbs = np.stack([a - wide, a + wide, b + thin, b - thin], 1).reshape(-1, 3)
        discs = at[2 * count :, None] + _CIRCLE[None] * np.insert(self._radii, 2, 0.0, 1)[:, None]
        points = np.concatenate([limbs, discs.reshape(-1, 3)])
        spans = _spans(count, len(self._discs))
        colours = np.array(self._colours[0] + self._colours[1])
        canvas.solid(Solid(points, spans, colours, (label,) * len(spans)), points, it.id)


@lru_cache(maxsize=16)
def _spans(limbs: int, discs: int) -> tuple[tuple[int, int], ...]:
    ends = np.cumsum([4] * limbs + [len(_CIRCLE)] * discs).tolist()
    return tuple(zip([0, *ends[:-1]], ends, strict=True))


def person(canvas: Canvas, street: Street, it: Person) -> None:
    figure, (k, coat, legs, skin, hair) = Figure(), _look(it.style)
    swing = 0.3 * math.sin(it.stride)
    near = it.s - canvas.view.position[2] < 35
    for side, z in ((-1, swing), (1, -swing)):
        knee, foot = (side * 0.09, 0.48 * k, z * 0.6 + 0.05), (side * 0.1, 0.06, z)
        figure.limb((side * 0.09, 0.9 * k, 0.0), knee, 0.19, legs)
        figure.limb(knee, foot, 0.15, legs, 0.7)
        if near:
            figure.limb(
                (side * 0.1, 0.06, z - 0.05), (side * 0.1, 0.02, z + 0.16), 0.1, (28, 26, 26)
            )
    figure.limb((0, 0.8 * k, 0), (0, 1.46 * k, 0), 0.4, coat, 1.12)
    if near:
        for side, z in ((-1, -swing), (1, swing)):
            sleeve = tuple(c * (0.82 if side < 0 else 1.1) for c in coat)
            elbow, hand = (
                (side * 0.25, 1.12 * k, z * 0.5 - 0.03),
                (side * 0.25, 0.88 * k, z * 0.9 + 0.05),
            )
            figure.limb((side * 0.2, 1.42 * k, 0), elbow, 0.13, sleeve)
            figure.limb(elbow, hand, 0.11, sleeve)
    figure.limb((0, 1.42 * k, 0), (0, 1.56 * k, 0.02), 0.12, skin)
    figure.disc((0, 1.64 * k, 0.02), 0.105, skin, 1.25)
    figure.disc((0, 1.7 * k, -0.01), 0.1, hair, 0.9)
    figure.paint(canvas, street, it, PERSON)


def walking(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a pedestrian over a whole stride."""
    # A box that breathed with the walk would be nobody's size.
    return np.array([(-0.31, -0.03, -0.4), (0.31, 1.7 * _look(style).size + 0.1, 0.52)])


def rider(canvas: Canvas, street: Street, it: Rider) -> None:
    figure, (k, coat, legs, skin, hair) = Figure(), _look(it.style)
    _bicycle(figure, tuple(0.8 * c for c in PAINTS[it.style % len(PAINTS)]))
    for side in (-1, 1):
        turn = it.stride + (math.pi if side > 0 else 0)
        pedal = (side * 0.12, 0.32 + 0.16 * math.sin(turn), 0.16 * math.cos(turn))
        knee = (side * 0.13, 0.68 + 0.1 * math.sin(turn), 0.28)
        figure.limb((side * 0.1, 0.95, -0.2), knee, 0.2, legs)
        figure.limb(knee, pedal, 0.15, legs, 0.7)
    figure.limb((0, 0.92, -0.22), (0, 1.45 * k, 0.08), 0.4, coat, 1.1)
    for side in (-1, 1):
        sleeve = tuple(c * 0.9 for c in coat)
        figure.limb((side * 0.2, 1.4 * k, 0.08), (side * 0.26, 1.04, 0.36), 0.12, sleeve)
    figure.disc((0, 1.6 * k, 0.12), 0.11, skin, 1.2)
    figure.disc((0, 1.66 * k, 0.1), 0.12, (198, 202, 60) if it.style % 2 else hair, 0.8)
    figure.paint(canvas, street, it, RIDER)


def riding(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a rider with the bicycle."""
    return np.array([(-0.33, -0.03, -0.89), (0.33, 1.66 * _look(style).size + 0.1, 0.89)])


def _bicycle(figure: Figure, paint: Colour) -> None:
    a = np.arange(9) * math.pi / 4
    for z in (-0.52, 0.52):
        rim = [(0.0, 0.34 + 0.34 * math.sin(t), z + 0.34 * math.cos(t)) for t in a]
        for p, q in zip(rim[:-1], rim[1:], strict=True):
            figure.limb(p, q, 0.06, (26, 26, 28), 1.0)
    rear, nose, crank, saddle, head = (
        (0, 0.34, -0.52),
        (0, 0.34, 0.52),
        (0, 0.3, 0.0),
        (0, 0.9, -0.2),
        (0, 0.85, 0.4),
    )
    for p, q in (
        (rear, saddle),
        (saddle, head),
        (crank, head),
        (nose, (0, 1.02, 0.38)),
        (crank, saddle),
    ):
        figure.limb(p, q, 0.06, paint, 1.0)
    figure.limb((-0.28, 1.02, 0.36), (0.28, 1.02, 0.36), 0.05, (30, 30, 30), 1.0)
