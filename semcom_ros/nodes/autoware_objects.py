# SPDX-License-Identifier: Apache-2.0
"""Which of Autoware's classes an object is, and which two objects are one to Autoware."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float, float]

CLASSES = {
    "person": "PEDESTRIAN",
    "rider": "BICYCLE",
    "bicycle": "BICYCLE",
    "motorcycle": "MOTORCYCLE",
    "car": "CAR",
    "truck": "TRUCK",
    "bus": "BUS",
    "train": "UNKNOWN",
}
"""Name of the constant in Autoware's ObjectClassification. What stands by the road has none. A
rider whose bicycle or motorcycle was seen as well is one object with it, of its class."""
ASTRIDE_M = 1.5
"""A rider sits on a bicycle or motorcycle whose centre is nearer than this across and down, and
nearer than this part of the distance along the axis, which is known far less well."""
ASTRIDE_DEPTH = 0.3


@dataclass(frozen=True)
class Sighting:
    """An object of class `name`: centre and size in metres along x, y and z of its frame."""

    name: str
    score: float
    position: Point
    size: Point


def autoware_objects(seen: Sequence[Sighting]) -> list[tuple[str, Sighting, int]]:
    """Autoware's class, the object, and its place in `seen`, of each object that Autoware knows.

    A rider and what is ridden become one object, which spans both and has the place of the rider.
    """
    riders = [i for i, s in enumerate(seen) if s.name == "rider"]
    ridden: dict[int, int] = {}
    for i, s in enumerate(seen):
        if s.name in ("bicycle", "motorcycle"):
            near = [r for r in riders if r not in ridden and _astride(seen[r], s)]
            if near:
                rider = min(near, key=lambda r: math.dist(seen[r].position, s.position))
                ridden[rider] = i
    found = []
    for i, s in enumerate(seen):
        if s.name not in CLASSES or i in ridden.values():
            continue
        name = s.name
        if i in ridden:
            name = seen[ridden[i]].name
            s = _together(s, seen[ridden[i]])
        found.append((CLASSES[name], s, i))
    return found


def _astride(rider: Sighting, vehicle: Sighting) -> bool:
    dx, dy, dz = (a - b for a, b in zip(rider.position, vehicle.position, strict=True))
    return math.hypot(dx, dy) < ASTRIDE_M and abs(dz) < ASTRIDE_DEPTH * abs(rider.position[2])


def _together(a: Sighting, b: Sighting) -> Sighting:
    """One object whose box spans those of `a` and `b`, at the distance of `a`."""
    edges = [
        (
            min(p - s / 2, q - t / 2),
            max(p + s / 2, q + t / 2),
        )
        for p, s, q, t in zip(a.position, a.size, b.position, b.size, strict=True)
    ]
    edges[2] = (a.position[2] - a.size[2] / 2, a.position[2] + a.size[2] / 2)
    x, y, z = ((low + high) / 2 for low, high in edges)
    width, height, depth = (high - low for low, high in edges)
    return Sighting(b.name, max(a.score, b.score), (x, y, z), (width, height, depth))
