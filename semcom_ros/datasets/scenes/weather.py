# SPDX-License-Identifier: Apache-2.0
"""Weather and time of day: what light, air and wet do to the picture, never to its labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Colour = tuple[float, float, float] | np.ndarray
"""RGB, 0 to 255."""
_Range = tuple[float, float]


@dataclass(frozen=True)
class Light:
    """Daylight: `haze` is the colour that distance fades into, over `sight` metres.

    `sun` is the side that the sun stands on (-1 left, 1 right), `contrast` the strength of its
    shadows and `reach` how far they fall, 1 with a high sun. `cover` is the share of clouds (all
    blue at -1, all grey from 2 on), `glow` how warm the sky is around the sun, `wet` how much the
    ground mirrors the sky, 0 to 1. `exposure` is the camera's gain, `tint` the light's colour.
    """

    haze: Colour
    sight: float
    sun: int
    contrast: float
    reach: float
    cover: float
    glow: float
    wet: float
    exposure: float
    tint: Colour


class _Weather(NamedTuple):
    """How often it is so, and the ranges that a drive's light is drawn from."""

    share: float
    haze: Colour
    sight: _Range
    contrast: _Range
    reach: float
    cover: _Range
    glow: float
    wet: _Range
    exposure: _Range
    tint: Colour


_DRY = (0.0, 0.0)
_ROWS: tuple[tuple[Any, ...], ...] = (
    ("clear", 0.28, (232, 238, 246), (500, 1200), (0.3, 0.55), 1.0, (-1.0, 0.6), 0.0, _DRY,
     (0.85, 1.15), (1.03, 1.0, 0.95)),
    ("overcast", 0.3, (222, 226, 230), (260, 600), (0.08, 0.12), 1.0, (0.8, 2.2), 0.0, _DRY,
     (0.8, 1.1), (1.0, 1.0, 1.0)),
    ("rain", 0.12, (196, 202, 208), (130, 260), (0.03, 0.05), 1.0, (1.8, 3.0), 0.0, (0.5, 1.0),
     (0.68, 0.92), (0.97, 1.0, 1.03)),
    ("fog", 0.07, (212, 215, 218), (55, 120), (0.02, 0.03), 1.0, (3.0, 4.0), 0.0, (0.0, 0.3),
     (0.75, 1.0), (0.99, 1.0, 1.01)),
    ("low sun", 0.12, (240, 228, 206), (300, 800), (0.45, 0.62), 2.4, (-1.2, 0.3), 1.0, _DRY,
     (0.85, 1.1), (1.08, 1.0, 0.89)),
    ("dusk", 0.11, (172, 178, 192), (300, 700), (0.03, 0.06), 1.0, (-0.5, 1.4), 0.6, _DRY,
     (0.48, 0.75), (0.95, 1.0, 1.06)),
)  # fmt: skip
_WEATHER = {name: _Weather(*row) for name, *row in _ROWS}
WEATHERS = tuple(_WEATHER)


def daylight(rng: np.random.Generator, weather: str | None = None) -> Light:
    """The light of one drive in one of `WEATHERS`, which is drawn as well if None."""
    shares = [w.share for w in _WEATHER.values()]
    drawn = WEATHERS[int(rng.choice(len(shares), p=shares))]
    it = _WEATHER[weather or drawn]
    sun = -1 if rng.random() < 0.5 else 1
    sight, contrast, cover, wet, exposure = (
        float(rng.uniform(*r)) for r in (it.sight, it.contrast, it.cover, it.wet, it.exposure)
    )
    return Light(it.haze, sight, sun, contrast, it.reach, cover, it.glow, wet, exposure, it.tint)


def tone_curve(rng: np.random.Generator, light: Light) -> np.ndarray:
    """A table uint8 [256, 1, 3] from scene colour to camera value: gain, tint and contrast."""
    x = np.arange(256)[:, None] / 255.0 * light.exposure * 1.12 * np.array(light.tint)
    x = np.clip(x, 0, 1.25)
    curved = np.clip(x + rng.uniform(0.1, 0.35) * x * (x - 0.5) * 1.6, 0, 1)
    return (curved * 255).astype(np.uint8)[:, None]
