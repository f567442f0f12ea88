# SPDX-License-Identifier: Apache-2.0
"""How the heads of traffic lights are painted, and which of their lamps is lit."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from semcom_ros.datasets.scenes.canvas import Polygon, Solid
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

LIGHT = TRAIN_ID["traffic light"]
CENTRE = -0.62
"""Height in metres of a head's middle above the top of its pole."""
_HALF = (0.27, 0.6)
"""Half width and half height in metres of the board behind the lamps."""
_LAMPS = ((0.34, (255, 44, 34)), (0.0, (255, 176, 30)), (-0.34, (50, 255, 160)))
"""Height above the middle and colour of red, amber and green."""
_TURN = np.arange(12) * math.pi / 6
_DISC = np.stack([np.cos(_TURN), np.sin(_TURN), 0 * _TURN], 1)
States = tuple[bool, bool, bool]


def lit(style: int, ahead: float) -> States:
    """Which of red, amber and green are lit of a light `ahead` metres before the camera car.

    The car never stops, so a red light turns red and amber and then green while it comes near.
    """
    until = 18.0 + style % 53
    if style % 3 == 0 or ahead < until:
        return False, False, True
    return True, ahead < until + 10.0, False


@lru_cache(maxsize=16)
def head(states: States | None) -> Solid:
    """A head that faces the camera, its middle at the origin; None shows its back."""

    def board(wide: float, high: float, colour: Colour) -> Polygon:
        return (
            [(-wide, -high, 0), (wide, -high, 0), (wide, high, 0), (-wide, high, 0)],
            colour,
            LIGHT,
        )

    wide, high = _HALF
    if states is None:
        return Solid.of([board(wide, high, (40, 42, 44)), board(0.16, 0.5, (58, 60, 62))])
    parts = [
        board(wide, high, (206, 206, 200)),
        board(wide - 0.04, high - 0.04, (14, 14, 16)),
    ]
    for (up, colour), on in zip(_LAMPS, states, strict=True):
        tone = colour if on else tuple(0.16 * c for c in colour)
        parts.append((_DISC * (0.15 if on else 0.12) + (0, up, 0), tone, LIGHT))
    return Solid.of(parts)


def extent() -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a head around the top of its pole."""
    wide, high = _HALF
    return np.array([(-wide, CENTRE - high, -0.015), (wide, CENTRE + high, 0.015)])
