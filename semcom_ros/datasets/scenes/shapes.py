# SPDX-License-Identifier: Apache-2.0
"""What solids are made of, in metres to the right, up and forward of where a thing stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.weather import Colour

Polygon = tuple[np.ndarray | Sequence[Sequence[float] | np.ndarray], Colour]
"""Points [n, 3] and the colour of what they enclose."""
PAINTS = np.array([
    (178, 182, 186), (150, 154, 160), (205, 206, 206), (46, 48, 54), (34, 50, 96), (120, 26, 30),
    (60, 64, 70), (86, 98, 124), (30, 72, 66), (160, 150, 120), (70, 110, 150), (196, 196, 190),
])  # fmt: skip
GLASS = np.array((44, 50, 56))
WHEEL_OUT = 1.01
"""Wheels stand out of the sides by this factor."""


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


def rectangle(x0: float, x1: float, y0: float, y1: float, z: float, colour: Colour) -> Polygon:
    """A rectangle across the way ahead."""
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour


def board(wide: float, high: float, colour: Colour) -> Polygon:
    """A rectangle that faces the camera, given by half its sides, around the origin."""
    return rectangle(-wide, wide, -high, high, 0, colour)


def pane(x: float, z0: float, z1: float, y0: float, y1: float, colour: Colour) -> Polygon:
    """A rectangle along the way ahead."""
    return [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)], colour


def level(half: float, y: float, z0: float, z1: float, colour: Colour) -> Polygon:
    """A level rectangle of half the width `half`."""
    return [(-half, y, z0), (half, y, z0), (half, y, z1), (-half, y, z1)], colour


def disc(sides: int, radius: float = 1.0, turn: float = 0.0) -> np.ndarray:
    """The corners [sides, 3] of a regular polygon that faces the camera, the first to the right."""
    a = np.arange(sides) * 2 * math.pi / sides + turn
    return np.stack([np.cos(a), np.sin(a), 0 * a], 1) * radius


def block(
    half: float,
    along: tuple[float, float],
    up: tuple[float, float],
    paint: np.ndarray,
    aspect: Aspect,
) -> Iterator[Polygon]:
    """Those sides of a box of half the width `half` that the camera may see, the nearest last."""
    (rear, nose), (low, high) = along, up
    yield level(half, high, rear, nose, paint * 1.1)
    yield rectangle(-half, half, low, high, rear if aspect.tail else nose, paint * 0.74)
    if aspect.side:
        flank = paint * (0.84 + aspect.lit)
        yield pane(aspect.side * half, rear, nose, low, high, flank)


def wheels(
    aspect: Aspect, half: float, places: Sequence[float], hub: float, tyre: float
) -> Iterator[Polygon]:
    """Of the flank that is seen, if one is: tyre, shadow, rim and, from near, the hub's cap."""
    x, (_, up, forward) = aspect.side * half * WHEEL_OUT, disc(12)[:, [2, 1, 0]].T
    rings = ((1.0, 12), (0.84, 26), (0.51, 128), (0.19, 60))[: 4 if aspect.fine else 3]
    for z in places if aspect.side else ():
        for share, tone in rings:
            radius = tyre * share
            ring = [np.full(12, x), hub + radius * up, z + radius * forward]
            yield np.stack(ring, 1), (tone, tone, tone + 2)


def lamps(
    half: float, shares: tuple[float, float], up: tuple[float, float], z: float, colour: Colour
) -> Iterator[Polygon]:
    """Two rectangles on the end `z`, from one share of half the width to the other."""
    for side in (-1, 1):
        inner, outer = sorted(side * half * share for share in shares)
        yield rectangle(inner, outer, *up, z, colour)


def extent(half: float, low: float, high: float, rear: float, nose: float) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a vehicle, its wheels counted in."""
    side = half * WHEEL_OUT
    return np.array([(-side, low, rear), (side, high, nose)])
