# SPDX-License-Identifier: Apache-2.0
"""How cars are painted: the side view of a body, drawn out to its width, shaded and glazed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.bodies import GLASS, PAINTS, WHEEL_OUT, Aspect, rectangle, wheel
from semcom_ros.datasets.scenes.canvas import Polygon, Solid
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

CAR = TRAIN_ID["car"]
_HUB, _TYRE = 0.31, 0.37
"""Height of a wheel's centre and its radius, in metres."""
_LAMP_OUT = 0.01
"""Metres that lamps and bumpers stand out of the ends."""

# Side views from the rear bumper's foot over the roof to the front: (forward, up) in metres.
HATCH = (
    (-2.0, 0.28),
    (-2.03, 0.62),
    (-1.95, 0.95),
    (-1.62, 1.42),
    (0.35, 1.46),
    (1.15, 0.98),
    (1.88, 0.84),
    (2.02, 0.6),
    (2.0, 0.26),
)
SALOON = (
    (-2.25, 0.28),
    (-2.28, 0.62),
    (-2.2, 0.98),
    (-1.65, 1.02),
    (-1.0, 1.41),
    (0.35, 1.43),
    (1.2, 0.96),
    (2.1, 0.82),
    (2.26, 0.58),
    (2.24, 0.26),
)
VAN = (
    (-2.45, 0.32),
    (-2.5, 0.7),
    (-2.48, 1.1),
    (-2.4, 2.0),
    (1.2, 2.05),
    (1.95, 1.25),
    (2.4, 1.02),
    (2.48, 0.6),
    (2.45, 0.3),
)
# Of each shape: the side view, which panels between neighbouring points are glass, side windows.
SHAPES = {
    "hatch": (
        HATCH,
        (2, 4),
        (
            ((-1.5, 1.0), (-1.42, 1.34), (-0.35, 1.38), (-0.35, 0.98)),
            ((-0.25, 0.98), (-0.25, 1.38), (0.3, 1.38), (0.95, 0.98)),
        ),
    ),
    "saloon": (
        SALOON,
        (3, 5),
        (
            ((-1.5, 1.04), (-0.95, 1.34), (-0.35, 1.36), (-0.35, 1.0)),
            ((-0.25, 1.0), (-0.25, 1.36), (0.3, 1.36), (1.0, 0.97)),
        ),
    ),
    "van": (VAN, (2, 4), (((0.25, 1.2), (0.25, 1.85), (1.1, 1.88), (1.6, 1.24)),)),
}


class Body(NamedTuple):
    """A shape of `SHAPES`, half the width in metres, and the colours of paint and glass."""

    shape: str
    half: float
    paint: np.ndarray
    glass: np.ndarray


@lru_cache(maxsize=1024)
def _body(style: int) -> Body:
    rng = np.random.default_rng((style, 50))
    shape = ("hatch", "saloon", "van")[int(rng.choice(3, p=(0.58, 0.3, 0.12)))]
    paint = np.array(PAINTS[int(rng.integers(len(PAINTS)))]) * rng.uniform(0.85, 1.15)
    half = (0.95 if shape == "van" else 0.84) * rng.uniform(0.97, 1.05)
    return Body(shape, half, paint, np.array(GLASS) * rng.uniform(0.7, 1.5))


@lru_cache(maxsize=1024)
def extent(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a car, with its wheels and lamps."""
    shape, half, _, _ = _body(style)
    forward, up = np.array(SHAPES[shape][0]).T
    side = half * WHEEL_OUT
    return np.array(
        [
            (-side, _HUB - _TYRE, forward.min() - _LAMP_OUT),
            (side, up.max(), forward.max() + _LAMP_OUT),
        ]
    )


@lru_cache(maxsize=1024)
def body(style: int, aspect: Aspect) -> Solid:
    """The polygons (right, up, forward) of a car or van."""
    side, tail, braking, lit, fine = aspect
    shape, half, paint, glass = _body(style)
    profile, glazed, windows = SHAPES[shape]
    flank = paint * (0.82 + lit)

    def narrow(up: float) -> float:
        """Half the width at height `up`: cabins lean inwards."""
        return half * (1.0 if up < 1.0 or shape == "van" else 1.0 - 0.3 * (up - 1.0))

    def on_side(points: tuple, out: float, colour: Colour) -> Polygon:
        return [(side * narrow(y) * out, y, z) for z, y in points], tuple(colour), CAR

    parts = list(_underside(half, profile))
    panels = []
    for i, ((z0, y0), (z1, y1)) in enumerate(zip(profile[:-1], profile[1:], strict=True)):
        w0, w1 = narrow(y0), narrow(y1)
        skyward = (z1 - z0) / math.hypot(z1 - z0, y1 - y0)
        colour = (
            glass * (0.9 + 0.9 * skyward) if i in glazed else paint * (0.72 + 0.5 * max(skyward, 0))
        )
        panels.append(
            ([(-w0, y0, z0), (w0, y0, z0), (w1, y1, z1), (-w1, y1, z1)], tuple(colour), CAR)
        )
    # What faces away is painted first and covered by what faces the camera.
    parts += panels[::-1] if tail else panels
    if side:
        parts.append(on_side(profile, 1.0, flank))
        if fine:
            parts += [on_side(groove, 1.002, flank * 0.6) for groove in _grooves(profile)]
        parts += [on_side(pane, 1.004, glass) for pane in windows]
        for z in (profile[0][0] + 0.75, profile[-1][0] - 0.72):
            parts += wheel(side * half * WHEEL_OUT, z, _HUB, _TYRE, CAR, 4 if fine else 3)
    parts += _end(half, profile, tail, braking, fine)
    return Solid.of(parts)


def _grooves(profile: tuple) -> Iterator[tuple]:
    """On the side: the sill, and the gap between the doors."""
    (rear, _), (nose, _) = profile[0], profile[-1]
    yield (rear, 0.27), (rear, 0.4), (nose, 0.4), (nose, 0.27)
    yield (-0.31, 0.4), (-0.31, 0.95), (-0.29, 0.95), (-0.29, 0.4)


def _underside(half: float, profile: tuple) -> Iterator[Polygon]:
    rear, nose = profile[0][0], profile[-1][0]
    floor = [(-half, 0.16, rear), (half, 0.16, rear), (half, 0.16, nose), (-half, 0.16, nose)]
    yield floor, (14, 14, 16), CAR
    for z in (rear * 0.97, nose * 0.97):
        yield rectangle(-half, half, 0.16, 0.5, z, (18, 18, 20), CAR)
        for x in (-half + 0.05, half - 0.25):
            yield rectangle(x, x + 0.2, 0.0, 0.5, z * 0.82, (20, 20, 22), CAR)


def _end(half: float, profile: tuple, tail: bool, braking: bool, fine: bool) -> Iterator[Polygon]:
    """Lamps, bumper, number plate and grille on the end that the camera sees."""
    z = (profile[1][0] - _LAMP_OUT) if tail else (profile[-2][0] + _LAMP_OUT)
    lamp = ((236, 40, 34) if braking else (150, 24, 24)) if tail else (226, 228, 222)
    low, high = (0.62, 0.92) if tail else (0.58, 0.74)
    for side in (-1, 1):
        inner, outer = sorted((side * half * 0.72, side * half * 0.97))
        yield rectangle(inner, outer, low, high, z, lamp, CAR)
    if not fine:
        return
    yield rectangle(-half * 0.98, half * 0.98, 0.32, 0.46, z, (52, 54, 56), CAR)
    if tail:
        yield rectangle(-0.26, 0.26, 0.6, 0.72, z, (196, 170, 60), CAR)
    else:
        yield rectangle(-0.26, 0.26, 0.36, 0.47, z, (226, 226, 222), CAR)
        yield rectangle(-half * 0.5, half * 0.5, 0.55, 0.68, z, (30, 30, 32), CAR)
