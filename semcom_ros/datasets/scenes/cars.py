# SPDX-License-Identifier: Apache-2.0
"""How cars are painted: the side view of a body, drawn out to its width, shaded and glazed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.canvas import Solid
from semcom_ros.datasets.scenes.shapes import (
    GLASS,
    PAINTS,
    Aspect,
    Polygon,
    extent,
    lamps,
    level,
    rectangle,
    wheels,
)
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

CAR = TRAIN_ID["car"]
_HUB, _TYRE = 0.31, 0.37
"""Height of a wheel's centre and its radius, in metres."""
_LAMP_OUT = 0.01
"""Metres that lamps and bumpers stand out of the ends."""
_SideView = tuple[tuple[float, float], ...]
# Of each shape: the side view from the rear bumper's foot over the roof to the front, (forward, up)
# in metres; which panels between neighbouring points are glass; side windows.
SHAPES: dict[str, tuple[_SideView, tuple[int, ...], tuple[_SideView, ...]]] = {
    "hatch": (
        ((-2.0, 0.28), (-2.03, 0.62), (-1.95, 0.95), (-1.62, 1.42), (0.35, 1.46), (1.15, 0.98),
         (1.88, 0.84), (2.02, 0.6), (2.0, 0.26)),
        (2, 4),
        (((-1.5, 1.0), (-1.42, 1.34), (-0.35, 1.38), (-0.35, 0.98)),
         ((-0.25, 0.98), (-0.25, 1.38), (0.3, 1.38), (0.95, 0.98))),
    ),
    "saloon": (
        ((-2.25, 0.28), (-2.28, 0.62), (-2.2, 0.98), (-1.65, 1.02), (-1.0, 1.41), (0.35, 1.43),
         (1.2, 0.96), (2.1, 0.82), (2.26, 0.58), (2.24, 0.26)),
        (3, 5),
        (((-1.5, 1.04), (-0.95, 1.34), (-0.35, 1.36), (-0.35, 1.0)),
         ((-0.25, 1.0), (-0.25, 1.36), (0.3, 1.36), (1.0, 0.97))),
    ),
    "van": (
        ((-2.45, 0.32), (-2.5, 0.7), (-2.48, 1.1), (-2.4, 2.0), (1.2, 2.05), (1.95, 1.25),
         (2.4, 1.02), (2.48, 0.6), (2.45, 0.3)),
        (2, 4),
        (((0.25, 1.2), (0.25, 1.85), (1.1, 1.88), (1.6, 1.24)),),
    ),
}  # fmt: skip


class CarLook(NamedTuple):
    """A shape of `SHAPES`, half the width in metres, and the colours of paint and glass."""

    shape: str
    half: float
    paint: np.ndarray
    glass: np.ndarray


@lru_cache(maxsize=128)
def _look(style: int) -> CarLook:
    rng = np.random.default_rng((style, 50))
    shape = ("hatch", "saloon", "van")[int(rng.choice(3, p=(0.58, 0.3, 0.12)))]
    paint = PAINTS[int(rng.integers(len(PAINTS)))] * rng.uniform(0.85, 1.15)
    half = (0.95 if shape == "van" else 0.84) * rng.uniform(0.97, 1.05)
    return CarLook(shape, half, paint, GLASS * rng.uniform(0.7, 1.5))


@lru_cache(maxsize=128)
def car_extent(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a car."""
    shape, half, _, _ = _look(style)
    forward, up = np.array(SHAPES[shape][0]).T
    ends = forward.min() - _LAMP_OUT, forward.max() + _LAMP_OUT
    return extent(half, _HUB - _TYRE, up.max(), *ends)


@lru_cache(maxsize=128)
def car(style: int, aspect: Aspect) -> Solid:
    """The polygons (right, up, forward) of a car or van."""
    shape, half, paint, glass = _look(style)
    profile, glazed, windows = SHAPES[shape]
    rear, nose = profile[0][0], profile[-1][0]
    flank = paint * (0.82 + aspect.lit)

    def narrow(up: float) -> float:
        """Half the width at height `up`: cabins lean inwards."""
        return half * (1.0 if up < 1.0 or shape == "van" else 1.0 - 0.3 * (up - 1.0))

    def on_side(points: _SideView, out: float, colour: Colour) -> Polygon:
        return [(aspect.side * narrow(y) * out, y, z) for z, y in points], colour

    panels: list[Polygon] = []
    for i, ((z0, y0), (z1, y1)) in enumerate(zip(profile[:-1], profile[1:], strict=True)):
        w0, w1 = narrow(y0), narrow(y1)
        skyward = (z1 - z0) / math.hypot(z1 - z0, y1 - y0)
        pane, tin = glass * (0.9 + 0.9 * skyward), paint * (0.72 + 0.5 * max(skyward, 0))
        corners = [(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)]
        panels.append((corners, pane if i in glazed else tin))
    # What faces away is painted first and covered by what faces the camera.
    parts = [*_underside(half, rear, nose), *(panels[::-1] if aspect.tail else panels)]
    if aspect.side:
        parts.append(on_side(profile, 1.0, flank))
        if aspect.fine:
            sill = (rear, 0.27), (rear, 0.4), (nose, 0.4), (nose, 0.27)
            gap = (-0.31, 0.4), (-0.31, 0.95), (-0.29, 0.95), (-0.29, 0.4)
            parts += [on_side(groove, 1.002, flank * 0.6) for groove in (sill, gap)]
        parts += [on_side(window, 1.004, glass) for window in windows]
    parts += wheels(aspect, half, (rear + 0.75, nose - 0.72), _HUB, _TYRE)
    parts += _end(half, profile, aspect)
    return Solid.of(parts, CAR)


def _underside(half: float, rear: float, nose: float) -> Iterator[Polygon]:
    yield level(half, 0.16, rear, nose, (14, 14, 16))
    for z in (rear * 0.97, nose * 0.97):
        yield rectangle(-half, half, 0.16, 0.5, z, (18, 18, 20))
        for x in (-half + 0.05, half - 0.25):
            yield rectangle(x, x + 0.2, 0.0, 0.5, z * 0.82, (20, 20, 22))


def _end(half: float, profile: _SideView, aspect: Aspect) -> Iterator[Polygon]:
    """Lamps, bumper, number plate and grille on the end that the camera sees."""
    if aspect.tail:
        z, lamp = profile[1][0] - _LAMP_OUT, (236, 40, 34) if aspect.braking else (150, 24, 24)
    else:
        z, lamp = profile[-2][0] + _LAMP_OUT, (226, 228, 222)
    yield from lamps(half, (0.72, 0.97), (0.62, 0.92) if aspect.tail else (0.58, 0.74), z, lamp)
    if not aspect.fine:
        return
    yield rectangle(-half * 0.98, half * 0.98, 0.32, 0.46, z, (52, 54, 56))
    if aspect.tail:
        yield rectangle(-0.26, 0.26, 0.6, 0.72, z, (196, 170, 60))
    else:
        yield rectangle(-0.26, 0.26, 0.36, 0.47, z, (226, 226, 222))
        yield rectangle(-half * 0.5, half * 0.5, 0.55, 0.68, z, (30, 30, 32))
