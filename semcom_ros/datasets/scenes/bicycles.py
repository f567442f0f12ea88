# SPDX-License-Identifier: Apache-2.0
"""How bicycles are painted, ridden and parked."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from semcom_ros.datasets.scenes.bodies import PAINTS
from semcom_ros.datasets.scenes.canvas import Canvas
from semcom_ros.datasets.scenes.figures import Figure
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.things import Bicycle
from semcom_ros.labels import TRAIN_ID

BICYCLE = TRAIN_ID["bicycle"]
_STYLES = 35
"""Bicycles that differ: paints, and with a basket, a bag or neither."""
_EXTENT = np.array([(-0.33, -0.03, -0.89), (0.33, 1.08, 0.89)])


def bicycle(canvas: Canvas, street: Street, it: Bicycle) -> None:
    ahead = it.s - canvas.view.position[2]
    figure = _figure(it.style % _STYLES, 9 if ahead < 20 else 6 if ahead < 50 else 4)
    figure.paint(canvas, street, it, BICYCLE, it.turn)


@lru_cache(maxsize=3 * _STYLES)
def _figure(style: int, sides: int) -> Figure:
    """A bicycle whose wheels have so many sides."""
    figure, paint = Figure(), tuple(0.8 * c for c in PAINTS[style % len(PAINTS)])
    a = np.arange(sides + 1) * 2 * math.pi / sides
    for z in (-0.52, 0.52):
        rim = [(0.0, 0.34 + 0.34 * math.sin(t), z + 0.34 * math.cos(t)) for t in a]
        for p, q in zip(rim[:-1], rim[1:], strict=True):
            figure.limb(p, q, 0.07, (26, 26, 28), 1.0)
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
    figure.limb((0, 0.94, -0.34), (0, 0.94, -0.1), 0.09, (24, 24, 26), 0.5)
    if style % 3 == 0:
        figure.limb((0, 0.72, 0.62), (0, 0.98, 0.62), 0.36, (112, 96, 70), 1.1)
    elif style % 3 == 1:
        figure.limb((0, 0.72, -0.62), (0, 0.42, -0.62), 0.34, (52, 54, 60), 0.9)
    return figure


def extent(it: Bicycle) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a bicycle."""
    return _EXTENT
