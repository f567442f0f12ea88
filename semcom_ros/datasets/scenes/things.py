# SPDX-License-Identifier: Apache-2.0
"""What stands and moves in a street: where each thing is, and the style that it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass

LENGTHS = {"car": 4.4, "truck": 8.2, "bus": 10.8}
"""Lengths in metres that vehicles of each class keep free."""


@dataclass(frozen=True)
class Building:
    """A block along the street from `s` to `end`, its front at `x` (its sign tells the side)."""

    s: float
    end: float
    x: float
    height: float
    style: int
    shop: bool


@dataclass(frozen=True)
class Fence:
    """A fence, garden wall or hedge from `s` to `end`."""

    s: float
    end: float
    x: float
    height: float
    kind: str


@dataclass(frozen=True)
class Tree:
    """A tree with its trunk at `s`, `x`; `style` chooses its crown."""

    s: float
    x: float
    height: float
    style: int


@dataclass(frozen=True)
class Post:
    """A lamp post, a bollard, or a pole that carries a sign or a traffic light.

    facing: whether a traffic light shows its lamps to who drives along the street.
    """

    s: float
    x: float
    height: float
    kind: str
    style: int
    facing: bool = True
    id: int = 0


@dataclass(frozen=True)
class Vehicle:
    """A car, truck or bus, as `kind` says; `heading` is 1 along the street and -1 against it."""

    s: float
    x: float
    heading: int
    style: int
    kind: str = "car"
    braking: bool = False
    id: int = 0

    @property
    def length(self) -> float:
        """Metres of street that it takes at most."""
        return LENGTHS[self.kind]


@dataclass(frozen=True)
class Bicycle:
    """A bicycle, ridden or parked; it heads `turn` radians to the right of the street's way."""

    s: float
    x: float
    turn: float
    style: int
    id: int = 0


@dataclass(frozen=True)
class Person:
    """A pedestrian; `stride` is the phase of the walk in radians."""

    s: float
    x: float
    heading: int
    stride: float
    style: int
    id: int = 0


@dataclass(frozen=True)
class Rider:
    """Somebody on a `Bicycle` at the same place; `stride` is the pedals' phase."""

    s: float
    x: float
    stride: float
    style: int
    id: int = 0


Thing = Building | Fence | Tree | Post | Vehicle | Bicycle | Person | Rider
