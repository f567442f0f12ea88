# SPDX-License-Identifier: Apache-2.0
"""What stands and what moves along the street, as a function of seed, place and time alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.things import (
    LENGTHS,
    Bicycle,
    Building,
    Fence,
    Person,
    Post,
    Rider,
    Thing,
    Tree,
    Vehicle,
)

SEGMENT = 24.0
"""Length in metres of the pieces of street that are generated one by one."""
SIGHT = 120.0
"""Distance in metres beyond which nothing stands but the skyline."""
CROSSINGS = 96.0
"""Metres from one crossing of the street to the next."""
_LONGEST = max(LENGTHS.values())
_SLOT = 5.6
"""Metres of kerb that a parked car takes; trucks and buses take two of them."""
ZONES = ("shops", "terrace", "houses", "park")

_STREAMS = (10, 11, 12, 13, 14, 15, 20, 21)
"""Kinds of what moves: four of walkers, riders, their bicycles, oncoming traffic, that ahead."""


def _standing_ids(segment: int) -> Iterator[int]:
    """Ids of what stands in a segment: 64 of the upper half, the same again 12 km on."""
    first = (1 << 15) + segment % 512 * 64
    return iter(range(first, first + 64))


def _moving_id(kind: int, cell: int) -> int:
    """The id of what moves in `cell` of a stream: in the lower half, above 0."""
    return 1 + _STREAMS.index(kind) * 4095 + cell % 4095


def _heavy(style: int, share: float) -> str:
    """The class of a moving vehicle: of `share` of all styles a truck or a bus, else a car."""
    drawn = style % 997 / 997
    return "truck" if drawn < share * 0.55 else "bus" if drawn < share else "car"


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
        self._segment = lru_cache(maxsize=16)(self._build)
        self.zone = lru_cache(maxsize=64)(self._zone)

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
                place = thing.end + _LONGEST
            case Vehicle():
                parked = abs(thing.x) > self.street.lane
                place = thing.s + (thing.length / 2 if parked else -thing.length / 2)
            case Rider() | Bicycle() if abs(thing.x) < self.street.road:
                place = thing.s
            case _:
                place = thing.s + _LONGEST
        return -place, -abs(thing.x)

    def _build(self, index: int) -> tuple[Thing, ...]:
        things = [t for side in (-1, 1) for t in self._side(index, side)]
        ids = _standing_ids(index)
        return tuple(replace(t, id=next(ids)) if t.name else t for t in things)

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
                    yield Fence(part, side * (street.front + 0.1), part + SEGMENT / 4, height, kind)
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
            yield from self._parked(rng, index, side)
        yield from self._racks(index, side, zone)
        yield from self._signals(index, side)

    def _parked(self, rng: np.random.Generator, index: int, side: int) -> Iterator[Vehicle]:
        slots, street = index * SEGMENT + 3 + _SLOT * np.arange(4), self.street
        large = self._rng(7 if side < 0 else 8, index)
        heavy = ("truck", "truck", "bus")[int(large.integers(3))] if large.random() < 0.04 else None
        for place, s in enumerate(slots):
            x = side * (street.road - 1.05 + rng.uniform(-0.1, 0.1))
            heading = -side if rng.random() < 0.85 else side
            there, taken = s + rng.uniform(-0.4, 0.4), rng.random() < 0.62
            style = int(rng.integers(1 << 30))
            if heavy and place in (1, 2):
                # One wheel on the kerb, so that the lane stays free.
                if place == 1 and self._clear(s + _SLOT / 2, 8.0):
                    x = side * (street.road - 0.95)
                    yield Vehicle(s + _SLOT / 2, x, -side, style, heavy)
            elif taken and self._clear(there, 5.0):
                yield Vehicle(there, x, heading, style)

    def _clear(self, s: float, metres: float) -> bool:
        """Whether the nearest crossing is at least `metres` away."""
        offset = (s - self.crossing) % CROSSINGS
        return min(offset, CROSSINGS - offset) >= metres

    def _racks(self, index: int, side: int, zone: str) -> Iterator[Bicycle]:
        """Bicycles along the kerb, or side by side across the pavement where it is wide."""
        rng, street = self._rng(22 if side < 0 else 23, index), self.street
        if rng.random() > {"shops": 0.25, "terrace": 0.12, "houses": 0.08, "park": 0.15}[zone]:
            return
        across = street.front - street.road > 2.6 and rng.random() < 0.6
        s = (index + rng.uniform(0.05, 0.65)) * SEGMENT
        for _ in range(int(rng.integers(1, 5))):
            turn = side * (1.4 if across else 0.0) + rng.normal(0, 0.08)
            x = side * (street.road + (1.1 if across else 0.4))
            yield Bicycle(s, x, turn, int(rng.integers(1 << 30)))
            s += rng.uniform(0.6, 0.9) if across else rng.uniform(1.9, 2.3)

    def _signals(self, index: int, side: int) -> Iterator[Post]:
        """Traffic lights on both kerbs before and beyond a crossing, if one lies here."""
        number = math.ceil((index * SEGMENT - self.crossing) / CROSSINGS)
        s = self.crossing + number * CROSSINGS
        rng = self._rng(24, number)
        if s < (index + 1) * SEGMENT and rng.random() < 0.5:
            style = int(rng.integers(1 << 30))
            for along in (-2.4, 2.4):
                x = side * (self.street.road + 0.45)
                yield Post(s + along, x, rng.uniform(3.2, 3.5), "light", style, along < 0)

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
            yield Building(s, x, until - gap, height, style, zone == "shops")
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
        first, last = ((s + d - shift) / spacing for d in (-5.0, reach))
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
                yield Person(place, x, heading, stride, int(rng.integers(1 << 30)), id=number)
        for place, rng, number in self._stream(14, s, time, 4.6, 34.0, self.busy[1] * 0.7):
            x, style = -self.street.lane + rng.uniform(0.1, 0.5), int(rng.integers(1 << 30))
            wheels = number - _moving_id(14, 0) + _moving_id(15, 0)
            yield Bicycle(place, x, 0.0, style, id=wheels)
            yield Rider(place, x, place * 1.1, style, id=number)

    def _traffic(self, s: float, time: float) -> Iterator[Thing]:
        for place, rng, number in self._stream(20, s, time, -8.5, 19.0, self.busy[2] * 0.75):
            x = self.street.lane / 2 + rng.uniform(-0.1, 0.25)
            style = int(rng.integers(1 << 30))
            kind = _heavy(style, 0.09)
            if kind != "car":
                # In the middle of its 19 metres it touches none of its neighbours.
                cell = math.floor((place + 8.5 * time) / 19.0)
                place = (cell + rng.uniform(0.45, 0.55)) * 19.0 - 8.5 * time
            yield Vehicle(place, x, -1, style, kind, id=number)
        # What drives ahead comes into sight, is followed and pulls away, once a minute.
        turn, phase = divmod(time / 60.0 + self.seed % 7 / 7, 1.0)
        rng = self._rng(21, int(turn))
        gap = rng.uniform(8.0, 22.0) + 90.0 * (2 * phase - 1) ** 2
        if rng.random() < 0.8 and gap < SIGHT - 20:
            style, braking = int(rng.integers(1 << 30)), 0.35 < phase < 0.5
            kind, x = _heavy(style, 0.2), -self.street.lane / 2
            if kind != "car":
                gap, x = gap + 6.0, x + 0.3
            yield Vehicle(s + gap, x, 1, style, kind, braking, id=_moving_id(21, int(turn)))
