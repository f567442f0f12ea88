# SPDX-License-Identifier: Apache-2.0
"""How a vehicle of any class is put into the picture, and the space that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from semcom_ros.datasets.scenes import cars, heavy
from semcom_ros.datasets.scenes.canvas import Canvas, Solid
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.shapes import Aspect
from semcom_ros.datasets.scenes.things import Vehicle

_PAINTED: dict[str, tuple[Callable[[int, Aspect], Solid], Callable[[int], np.ndarray]]] = {
    "car": (cars.car, cars.car_extent),
    "truck": (heavy.truck, heavy.truck_extent),
    "bus": (heavy.bus, heavy.bus_extent),
}
"""By class, what gives the body of a style and its extent."""


def extent(it: Vehicle) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a vehicle, with its wheels and lamps."""
    return _PAINTED[it.kind][1](it.style)


def vehicle(canvas: Canvas, street: Street, it: Vehicle) -> None:
    def camera(local: np.ndarray | Sequence[tuple[float, float, float]]) -> np.ndarray:
        facing = np.asarray(local, float) * (it.heading, 1, it.heading)
        return canvas.view.to_camera(street.placed(it.s, it.x, facing))

    middle, beside, ahead = camera([(0, 0.7, 0), (1, 0.7, 0), (0, 0.7, 1)])
    # What ends nearer than this lies beside the picture.
    if middle[2] + it.length / 2 < 5.1:
        return
    right = -float((beside - middle) @ middle)
    # From right behind or ahead neither flank is seen.
    side = int(math.copysign(abs(right) > extent(it)[1, 0], right))
    tail = bool((ahead - middle) @ middle > 0)
    sunny = 0.15 if side * it.heading == canvas.light.sun else -0.2
    lit = round(canvas.light.contrast * sunny, 2) if side else 0.0
    aspect = Aspect(side, tail, it.braking, lit, bool(middle[2] < 45))
    body = _PAINTED[it.kind][0](it.style, aspect)
    canvas.solid(body, camera(body.points), it.id)
