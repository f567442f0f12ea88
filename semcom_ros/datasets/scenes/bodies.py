# SPDX-License-Identifier: Apache-2.0
"""What the bodies of all vehicles are made of: paint, glass, rectangles, blocks and wheels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.canvas import Polygon
from semcom_ros.datasets.scenes.weather import Colour

PAINTS = (
    (178, 182, 186),
    (150, 154, 160),
    (205, 206, 206),
    (46, 48, 54),
    (34, 50, 96),
    (120, 26, 30),
    (60, 64, 70),
    (86, 98, 124),
    (30, 72, 66),
    (160, 150, 120),
    (70, 110, 150),
    (196, 196, 190),
)
GLASS = (44, 50, 56)
WHEEL_OUT = 1.01
"""Wheels stand out of the sides by this factor."""
_TURN = np.arange(12) * math.pi / 6


class Aspect(NamedTuple):
    """How a vehicle is seen: everything that its polygons depend on but its style.

    side: the flank that faces the camera (-1 left, 1 right), 0 neither. tail: from behind. lit:
    brightness that the sun adds to the flank. fine: near enough for details.
    """

    side: int
    tail: bool
    braking: bool
    lit: float
    fine: bool


def rectangle(
    x0: float, x1: float, y0: float, y1: float, z: float, colour: Colour, label: int
) -> Polygon:
    """A rectangle across the vehicle."""
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, label


def pane(
    x: float, z0: float, z1: float, y0: float, y1: float, colour: Colour, label: int
) -> Polygon:
    """A rectangle along the vehicle."""
    return [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], colour, label


def block(
    half: float,
    along: tuple[float, float],
    up: tuple[float, float],
    paint: np.ndarray,
    aspect: Aspect,
    label: int,
) -> Iterator[Polygon]:
    """Those sides of a box of half the width `half` that the camera may see, the nearest last."""
    (rear, nose), (low, high) = along, up
    top = [(-half, high, rear), (half, high, rear), (half, high, nose), (-half, high, nose)]
    yield top, tuple(paint * 1.1), label
    yield rectangle(
        -half, half, low, high, rear if aspect.tail else nose, tuple(paint * 0.74), label
    )
    if aspect.side:
        flank = tuple(paint * (0.84 + aspect.lit))
        yield pane(aspect.side * half, rear, nose, low, high, flank, label)


def wheel(
    x: float, z: float, hub: float, tyre: float, label: int, rings: int = 4
) -> Iterator[Polygon]:
    """A wheel of radius `tyre` around height `hub`; of `rings` tyre, shadow, rim and cap."""
    sizes = (tyre, tyre * 0.84, tyre * 0.51, tyre * 0.19)
    for radius, tone in list(zip(sizes, (12, 26, 128, 60), strict=True))[:rings]:
        ring = [np.full(12, x), hub + radius * np.sin(_TURN), z + radius * np.cos(_TURN)]
        yield np.stack(ring, 1), (tone, tone, tone + 2), label
