# SPDX-License-Identifier: Apache-2.0
"""How people are painted: pedestrians that walk and riders that pedal."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.canvas import Canvas, Colour
from semcom_ros.datasets.scenes.figures import Figure
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.things import Person, Rider
from semcom_ros.labels import TRAIN_ID

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
    figure.paint(canvas, street, it, PERSON, 0.0 if it.heading > 0 else math.pi)


def walking(it: Person) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a pedestrian over a whole stride."""
    # A box that breathed with the walk would be nobody's size.
    return np.array([(-0.31, -0.03, -0.4), (0.31, 1.7 * _look(it.style).size + 0.1, 0.52)])


def rider(canvas: Canvas, street: Street, it: Rider) -> None:
    figure, (k, coat, legs, skin, hair) = Figure(), _look(it.style)
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


def riding(it: Rider) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a rider without the bicycle."""
    return np.array([(-0.33, 0.06, -0.48), (0.33, 1.66 * _look(it.style).size + 0.1, 0.46)])
