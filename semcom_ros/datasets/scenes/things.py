# SPDX-License-Identifier: Apache-2.0
"""What stands and moves in a street: where each thing is, and the style that it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

LENGTHS = {"car": 4.4, "truck": 8.2, "bus": 10.8}
"""Lengths in metres that vehicles of each class keep free."""
Shadow = tuple[float, float, int]
"""Half width and half length in metres of what a thing darkens, and how dark it is."""
_SHADOWS = {
    "car": (1.0, 2.25, 200), "truck": (1.2, 3.7, 210), "bus": (1.25, 5.1, 210),
    "Bicycle": (0.28, 0.8, 120), "Person": (0.28, 0.3, 130),
    "Post": (0.2, 0.2, 90), "Tree": (0.2, 0.2, 90),
}  # fmt: skip
_NAMES = {"Bicycle": "bicycle", "Person": "person", "Rider": "rider"}


@dataclass(frozen=True)
class Thing:
    """Anything at `s` metres along the street and `x` metres to the right of its middle.

    id: its number in `Frame.instances`, 0 for what is no object there.
    """

    s: float
    x: float
    id: int = field(default=0, kw_only=True)

    @property
    def name(self) -> str:
        """The class of the object that it is, "" if it is none."""
        return _NAMES.get(type(self).__name__, "")

    @property
    def shadow(self) -> Shadow | None:
        """What it darkens; None where that is looked after elsewhere."""
        return _SHADOWS.get(type(self).__name__)


@dataclass(frozen=True)
class Building(Thing):
    """A block along the street from `s` to `end`, its front at `x` (its sign tells the side)."""

    end: float
    height: float
    style: int
    shop: bool


@dataclass(frozen=True)
class Fence(Thing):
    """A fence, garden wall or hedge from `s` to `end`."""

    end: float
    height: float
    kind: str


@dataclass(frozen=True)
class Tree(Thing):
    """A tree; `style` chooses its crown."""

    height: float
    style: int


@dataclass(frozen=True)
class Post(Thing):
    """A lamp post, a bollard, or a pole that carries a sign or a traffic light.

    facing: whether a traffic light shows its lamps to who drives along the street.
    """

    height: float
    kind: str
    style: int
    facing: bool = True

    @property
    def name(self) -> str:
        return f"traffic {self.kind}" if self.kind in ("sign", "light") else ""


@dataclass(frozen=True)
class Vehicle(Thing):
    """A car, truck or bus, as `kind` says; `heading` is 1 along the street and -1 against it."""

    heading: int
    style: int
    kind: str = "car"
    braking: bool = False

    @property
    def name(self) -> str:
        return self.kind

    @property
    def length(self) -> float:
        """Metres of street that it takes at most."""
        return LENGTHS[self.kind]

    @property
    def shadow(self) -> Shadow:
        return _SHADOWS[self.kind]


@dataclass(frozen=True)
class Bicycle(Thing):
    """A bicycle, ridden or parked; it heads `turn` radians to the right of the street's way."""

    turn: float
    style: int


@dataclass(frozen=True)
class Person(Thing):
    """A pedestrian; `stride` is the phase of the walk in radians."""

    heading: int
    stride: float
    style: int


@dataclass(frozen=True)
class Rider(Thing):
    """Somebody on a `Bicycle` at the same place; `stride` is the pedals' phase."""

    stride: float
    style: int
