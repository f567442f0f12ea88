# SPDX-License-Identifier: Apache-2.0
"""What stands and what moves along the street, as a function of seed, place and time alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from semcom_ros.scenes.geometry import Street

SEGMENT = 24.0
"""Length in metres of the pieces of street that are generated one by one."""
SIGHT = 120.0
"""Distance in metres beyond which nothing stands but the skyline."""
CAR_LENGTH = 4.4
ZONES = ("shops", "terrace", "houses", "park")


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
    """A lamp post, a bollard, or a pole that carries signs."""

    s: float
    x: float
    height: float
    kind: str
    style: int
    id: int = 0


@dataclass(frozen=True)
class Car:
    """A car or van; `heading` is 1 along the street and -1 against it."""

    s: float
    x: float
    heading: int
    style: int
    braking: bool = False
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
    """Somebody on a bicycle, riding along the street; `stride` is the pedals' phase."""

    s: float
    x: float
    stride: float
    style: int
    id: int = 0


Thing = Building | Fence | Tree | Post | Car | Person | Rider

_STREAMS = (10, 11, 12, 13, 14, 20, 21)
"""Kinds of what moves: four of walkers, riders, oncoming cars, the cars ahead."""


def _standing_ids(segment: int) -> Iterator[int]:
    """Ids of what stands in a segment: 32 of the upper half, the same again 24 km on."""
    first = (1 << 15) + segment % 1024 * 32
    return iter(range(first, first + 32))


def _moving_id(kind: int, cell: int) -> int:
    """The id of what moves in `cell` of a stream: in the lower half, above 0."""
    return 1 + _STREAMS.index(kind) * 4096 + cell % 4096


class Town:
    """The town of one seed; every part of it is generated from (seed, kind, index) on demand."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = self._rng(0, 0)
        self.parking = rng.random(2) < (0.65, 0.75)
        lane = rng.uniform(3.1, 3.7)
        road = lane + (2.1 if self.parking.any() else rng.uniform(0.0, 0.6))
        waves = tuple(
            (rng.uniform(0.0, a), length, rng.uniform(0, 2 * math.pi))
            for a, length in ((9.0, 41.0), (25.0, 113.0))
        )
        self.street = Street(waves, lane, road, road + rng.uniform(1.8, 3.6))
        self.crossing = rng.uniform(10.0, 86.0)
        self.busy = rng.uniform(0.15, 0.9, 3)
        self.zones = rng.dirichlet((1.4, 1.4, 0.9, 0.7))
        self._segment = lru_cache(maxsize=64)(self._build)
        self.zone = lru_cache(maxsize=256)(self._zone)

    def _rng(self, kind: int, index: int) -> np.random.Generator:
        # A negative index (the street behind the start) is folded into the valid entropy.
        return np.random.default_rng((self.seed, kind, index * 2 if index >= 0 else -index * 2 - 1))

    def _zone(self, index: int, side: int) -> str:
        """What lines segment `index` on `side` (-1 left, 1 right); neighbours tend to agree."""
        rng = self._rng(1 if side < 0 else 2, index // 3)
        block = int(rng.choice(4, p=self.zones))
        rng = self._rng(3 if side < 0 else 4, index)
        return ZONES[block if rng.random() < 0.75 else int(rng.choice(4, p=self.zones))]

    def things(self, s: float, time: float) -> list[Thing]:
        """Everything within sight of `s` at `time` seconds, the far end of the farthest first."""
        first, last = math.floor((s - 12) / SEGMENT), math.floor((s + SIGHT) / SEGMENT)
        found = [thing for i in range(first, last + 1) for thing in self._segment(i)]
        found += self._walkers(s, time)
        found += self._traffic(s, time)
        return sorted(found, key=self._order)

    def _order(self, thing: Thing) -> tuple[float, float]:
        """Sorts things so that each is painted before all that may hide it.

        What stands nearer to the street's middle hides what is beside it farther out, and is never
        hidden by it. So from layer to layer outwards a thing counts as if it were farther away:
        traffic by its near end, parked cars by their far end, then pavement, fences and buildings.
        """
        match thing:
            case Building() | Fence():
                place = thing.end + CAR_LENGTH
            case Car():
                parked = abs(thing.x) > self.street.lane
                place = thing.s + (CAR_LENGTH / 2 if parked else -CAR_LENGTH / 2)
            case Rider():
                place = thing.s
            case _:
                place = thing.s + CAR_LENGTH
        return -place, -abs(thing.x)

    def _build(self, index: int) -> tuple[Thing, ...]:
        things = [t for side in (-1, 1) for t in self._side(index, side)]
        ids = _standing_ids(index)
        named = (isinstance(t, Car) or getattr(t, "kind", "") == "sign" for t in things)
        return tuple(
            replace(t, id=next(ids)) if n else t for t, n in zip(things, named, strict=True)
        )

    def _side(self, index: int, side: int) -> Iterator[Thing]:
        rng = self._rng(5 if side < 0 else 6, index)
        start, end, street = index * SEGMENT, (index + 1) * SEGMENT, self.street
        zone = self.zone(index, side)
        front = side * (street.front + (0.0 if zone == "shops" else rng.uniform(2.0, 5.0)))
        yield from self._buildings(rng, zone, start, end, front)
        if zone != "shops":
            kinds = ("wall", "railing", "hedge", "panel")
            kind = kinds[int(rng.choice(4, p=(0.25, 0.3, 0.3, 0.15)))]
            height = rng.uniform(0.8, 1.9) if kind != "wall" else rng.uniform(0.6, 1.3)
            for part in np.arange(start, end, SEGMENT / 4):
                if rng.random() < 0.85:
                    yield Fence(part, part + SEGMENT / 4, side * (street.front + 0.1), height, kind)
        trees = {"shops": 0.25, "terrace": 0.7, "houses": 1.6, "park": 5.0}[zone]
        for s in rng.uniform(start, end, rng.poisson(trees)):
            x = street.front + rng.uniform(1.0, 9.0 if zone == "park" else 2.5)
            if zone == "shops":
                x = street.road + 0.8
            yield Tree(s, side * x, rng.uniform(5.0, 11.0), int(rng.integers(1 << 30)))
        kerb = side * (street.road + 0.45)
        if index % 2 == (side > 0):
            yield Post(start + rng.uniform(0, 8), kerb, rng.uniform(6.5, 8.5), "lamp", side)
        for s in rng.uniform(start, end, rng.poisson(0.9)):
            yield Post(s, kerb, rng.uniform(2.3, 3.2), "sign", int(rng.integers(1 << 30)))
        if zone == "shops" and rng.random() < 0.35:
            for s in np.arange(start, end - 6, 2.0):
                yield Post(s, kerb, 1.0, "bollard", 0)
        if self.parking[int(side > 0)] and rng.random() < 0.75:
            for s in np.arange(start + 3, end - 2, 5.6):
                if rng.random() < 0.62:
                    x = side * (street.road - 1.05 + rng.uniform(-0.1, 0.1))
                    heading = -side if rng.random() < 0.85 else side
                    yield Car(s + rng.uniform(-0.4, 0.4), x, heading, int(rng.integers(1 << 30)))

    def _buildings(
        self, rng: np.random.Generator, zone: str, start: float, end: float, x: float
    ) -> Iterator[Building]:
        if zone == "park":
            return
        widths = {"shops": (5.0, 12.0), "terrace": (5.0, 8.0), "houses": (8.0, 12.0)}[zone]
        floors = {"shops": (2, 5), "terrace": (2, 4), "houses": (2, 3)}[zone]
        height, style = rng.uniform(5.2, 6.5), int(rng.integers(1 << 30))
        s = start
        while s < end - 0.1:
            until = min(s + rng.uniform(*widths), end)
            if end - until < 4.0:
                until = end
            if zone != "terrace" or rng.random() < 0.3:
                height = rng.integers(*floors) * rng.uniform(2.7, 3.2) + 0.4
                style = int(rng.integers(1 << 30))
            gap = rng.uniform(1.0, 3.0) if zone == "houses" else 0.0
            yield Building(s, until - gap, x, height, style, zone == "shops")
            s = until

    def _stream(
        self,
        kind: int,
        s: float,
        time: float,
        speed: float,
        spacing: float,
        chance: float,
        reach: float = SIGHT - 15,
    ) -> Iterator[tuple[float, np.random.Generator, int]]:
        """Places and ids of things that move at `speed`, at most one in each `spacing` metres."""
        shift = speed * time
        first, last = ((s + d - shift) / spacing for d in (1.0, reach))
        for cell in range(math.floor(first), math.floor(last) + 1):
            rng = self._rng(kind, cell)
            if rng.random() < chance:
                place = (cell + rng.uniform(0.15, 0.85)) * spacing + shift
                yield place, rng, _moving_id(kind, cell)

    def _walkers(self, s: float, time: float) -> Iterator[Thing]:
        for kind, (side, heading) in enumerate(((-1, 1), (-1, -1), (1, 1), (1, -1))):
            for place, rng, number in self._stream(
                10 + kind, s, time, 1.35 * heading, 8.0, self.busy[0] * 0.6, 75.0
            ):
                x = side * rng.uniform(self.street.road + 0.8, self.street.front - 0.4)
                stride = place * heading * 4.2 + rng.uniform(0, 6)
                yield Person(place, x, heading, stride, int(rng.integers(1 << 30)), number)
        for place, rng, number in self._stream(14, s, time, 4.6, 34.0, self.busy[1] * 0.7):
            x = -self.street.lane + rng.uniform(0.1, 0.5)
            yield Rider(place, x, place * 1.1, int(rng.integers(1 << 30)), number)

    def _traffic(self, s: float, time: float) -> Iterator[Thing]:
        for place, rng, number in self._stream(20, s, time, -8.5, 19.0, self.busy[2] * 0.75):
            yield Car(
                place,
                self.street.lane / 2 + rng.uniform(-0.1, 0.25),
                -1,
                int(rng.integers(1 << 30)),
                id=number,
            )
        # The car ahead comes into sight, is followed for a while and pulls away, once a minute.
        turn, phase = divmod(time / 60.0 + self.seed % 7 / 7, 1.0)
        rng = self._rng(21, int(turn))
        gap = rng.uniform(8.0, 22.0) + 90.0 * (2 * phase - 1) ** 2
        if rng.random() < 0.8 and gap < SIGHT - 20:
            style, braking = int(rng.integers(1 << 30)), 0.35 < phase < 0.5
            number = _moving_id(21, int(turn))
            yield Car(s + gap, -self.street.lane / 2, 1, style, braking, number)
