# SPDX-License-Identifier: Apache-2.0
"""How cars are painted: the side view of a body, drawn out to its width, shaded and glazed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.labels import TRAIN_ID
from semcom_ros.scenes.canvas import Canvas, Colour, Polygon, Solid
from semcom_ros.scenes.geometry import Street
from semcom_ros.scenes.town import Car

CAR = TRAIN_ID["car"]
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
_HUB, _TYRE = 0.31, 0.37
"""Height of a wheel's centre and its radius, in metres."""
_WHEEL_OUT, _LAMP_OUT = 1.01, 0.01
"""Wheels stand out of the sides by this factor, lamps and bumpers of the ends by metres."""

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


def car(canvas: Canvas, street: Street, it: Car) -> None:
    def camera(local: np.ndarray) -> np.ndarray:
        facing = np.asarray(local, float) * (it.heading, 1, it.heading)
        return canvas.view.to_camera(street.placed(it.s, it.x, facing))

    middle, beside, ahead = camera([(0, 0.7, 0), (1, 0.7, 0), (0, 0.7, 1)])
    if middle[2] < 2.9:
        return
    side = 1 if (beside - middle) @ middle < 0 else -1
    tail = bool((ahead - middle) @ middle > 0)
    lit = round(
        canvas.light.contrast * (0.15 if side * it.heading == canvas.light.sun else -0.2), 2
    )
    mesh = _car(it.style, side, tail, it.braking, lit, bool(middle[2] < 45))
    canvas.solid(mesh, camera(mesh.points), it.id)


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
    side = half * _WHEEL_OUT
    return np.array(
        [
            (-side, _HUB - _TYRE, forward.min() - _LAMP_OUT),
            (side, up.max(), forward.max() + _LAMP_OUT),
        ]
    )


@lru_cache(maxsize=1024)
def _car(style: int, side: int, tail: bool, braking: bool, lit: float, fine: bool) -> Solid:
    """The car's polygons (right, up, forward) as seen from `side`, from behind if `tail`."""
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
    parts.append(on_side(profile, 1.0, flank))
    if fine:
        (rear, _), (nose, _) = profile[0], profile[-1]
        parts.append(
            on_side(((rear, 0.27), (rear, 0.4), (nose, 0.4), (nose, 0.27)), 1.002, flank * 0.6)
        )
        parts.append(
            on_side(((-0.31, 0.4), (-0.31, 0.95), (-0.29, 0.95), (-0.29, 0.4)), 1.002, flank * 0.6)
        )
    parts += [on_side(pane, 1.004, glass) for pane in windows]
    for z in (profile[0][0] + 0.75, profile[-1][0] - 0.72):
        parts += _wheel(side * half * _WHEEL_OUT, z, 4 if fine else 3)
    parts += _end(half, profile, tail, braking, fine)
    return Solid.of(parts)


def _rectangle(x0: float, x1: float, y0: float, y1: float, z: float, colour: Colour) -> Polygon:
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], colour, CAR


def _underside(half: float, profile: tuple) -> Iterator[Polygon]:
    rear, nose = profile[0][0], profile[-1][0]
    floor = [(-half, 0.16, rear), (half, 0.16, rear), (half, 0.16, nose), (-half, 0.16, nose)]
    yield floor, (14, 14, 16), CAR
    for z in (rear * 0.97, nose * 0.97):
        yield _rectangle(-half, half, 0.16, 0.5, z, (18, 18, 20))
        for x in (-half + 0.05, half - 0.25):
            yield _rectangle(x, x + 0.2, 0.0, 0.5, z * 0.82, (20, 20, 22))


def _wheel(x: float, z: float, rings: int) -> Iterator[Polygon]:
    a = np.arange(12) * math.pi / 6
    for radius, tone in ((_TYRE, 12), (0.31, 26), (0.19, 128), (0.07, 60))[:rings]:
        ring = np.stack([np.full(12, x), _HUB + radius * np.sin(a), z + radius * np.cos(a)], 1)
        yield ring, (tone, tone, tone + 2), CAR


def _end(half: float, profile: tuple, tail: bool, braking: bool, fine: bool) -> Iterator[Polygon]:
    """Lamps, bumper, number plate and grille on the end that the camera sees."""
    z = (profile[1][0] - _LAMP_OUT) if tail else (profile[-2][0] + _LAMP_OUT)
    lamp = ((236, 40, 34) if braking else (150, 24, 24)) if tail else (226, 228, 222)
    low, high = (0.62, 0.92) if tail else (0.58, 0.74)
    for side in (-1, 1):
        inner, outer = sorted((side * half * 0.72, side * half * 0.97))
        yield _rectangle(inner, outer, low, high, z, lamp)
    if not fine:
        return
    yield _rectangle(-half * 0.98, half * 0.98, 0.32, 0.46, z, (52, 54, 56))
    if tail:
        yield _rectangle(-0.26, 0.26, 0.6, 0.72, z, (196, 170, 60))
    else:
        yield _rectangle(-0.26, 0.26, 0.36, 0.47, z, (226, 226, 222))
        yield _rectangle(-half * 0.5, half * 0.5, 0.55, 0.68, z, (30, 30, 32))
