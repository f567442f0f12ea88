# SPDX-License-Identifier: Apache-2.0
"""How trucks and buses are painted: blocks with glass, wheels and lamps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.scenes.canvas import Solid
from semcom_ros.datasets.scenes.shapes import (
    GLASS,
    PAINTS,
    Aspect,
    Polygon,
    block,
    extent,
    lamps,
    pane,
    rectangle,
    wheels,
)
from semcom_ros.labels import TRAIN_ID

TRUCK, BUS = TRAIN_ID["truck"], TRAIN_ID["bus"]
LIVERIES = np.array([
    (176, 28, 32), (176, 28, 32), (26, 96, 62), (214, 210, 198), (34, 66, 138), (206, 152, 36),
    (120, 148, 164),
])  # fmt: skip
LOADS = np.array([(112, 88, 60), (124, 120, 112), (150, 112, 70), (96, 60, 48)])
_GLASS = GLASS * 1.1
_HUB, _TYRE = 0.48, 0.49
"""Height of a wheel's centre and its radius, in metres."""
_OUT = 0.02
"""Metres that lamps and panes stand out of the ends."""


class Truck(NamedTuple):
    """Half the width and length, height of the load's top, and the colours of cab and box.

    load: the colour of an open truck's load, None for a closed box.
    """

    half: float
    long: float
    height: float
    cab: np.ndarray
    box: np.ndarray
    load: np.ndarray | None


class Bus(NamedTuple):
    """Half the width and length, decks, and the colours of the body and of its stripe."""

    half: float
    long: float
    decks: int
    paint: np.ndarray
    stripe: np.ndarray

    @property
    def height(self) -> float:
        return 3.0 if self.decks == 1 else 4.3


@lru_cache(maxsize=16)
def _truck(style: int) -> Truck:
    rng = np.random.default_rng((style, 52))
    half, long = rng.uniform(1.1, 1.22), rng.uniform(3.3, 4.0)
    cab, box = (PAINTS[i] * rng.uniform(0.8, 1.1) for i in rng.integers(12, size=2))
    if rng.random() < 0.35:
        load = LOADS[int(rng.integers(4))] * rng.uniform(0.8, 1.2)
        return Truck(half, long, rng.uniform(1.7, 2.5), cab, cab * 0.8, load)
    if rng.random() < 0.5:
        box = np.array((214, 214, 210)) * rng.uniform(0.85, 1.05)
    return Truck(half, long, rng.uniform(3.0, 3.7), cab, box, None)


@lru_cache(maxsize=16)
def _bus(style: int) -> Bus:
    rng = np.random.default_rng((style, 53))
    paint = LIVERIES[int(rng.integers(len(LIVERIES)))] * rng.uniform(0.85, 1.1)
    stripe = (np.array((222, 220, 210)), paint * 0.6)[int(rng.integers(2))]
    half, long = rng.uniform(1.2, 1.26), rng.uniform(4.9, 5.3)
    return Bus(half, long, 1 + int(rng.random() < 0.4), paint, stripe)


def truck_extent(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a truck."""
    it = _truck(style)
    return _extent(it.half, it.long, max(it.height, 2.65))


def bus_extent(style: int) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a bus."""
    it = _bus(style)
    return _extent(it.half, it.long, it.height)


def _extent(half: float, long: float, height: float) -> np.ndarray:
    return extent(half, _HUB - _TYRE, height, -(long + _OUT), long + _OUT)


@lru_cache(maxsize=16)
def truck(style: int, aspect: Aspect) -> Solid:
    """The polygons (right, up, forward) of a truck, a closed box or an open bed behind a cab."""
    it, near = _truck(style), aspect.side and aspect.fine
    half, long, behind, closed = it.half, it.long, it.long - 2.0, it.load is None
    x = aspect.side * half * 1.002
    up = 0.9, it.height if closed else 1.5
    rear = [*block(half, (-long, behind - 0.15), up, it.box, aspect)]
    if closed and near:
        up = it.height * 0.6, it.height * 0.72
        rear.append(pane(x, -long * 0.7, behind * 0.3, *up, it.cab * 0.9))
    if it.load is not None:
        # The load is seen above the sides of the bed, which are nearer.
        along = -long + 0.15, behind - 0.4
        rear = [*block(half - 0.1, along, (1.2, it.height), it.load, aspect), *rear[1:]]
        if near:
            posts = np.arange(-long, behind - 0.3, 1.1)
            rear += [pane(x, z, z + 0.08, 0.9, 1.5, it.box * 0.6) for z in posts]
    front = list(_cab(it, behind, aspect))
    parts = [*_chassis(half, long, aspect), *(front + rear if aspect.tail else rear + front)]
    parts += wheels(aspect, half, (-long + 1.4, long - 1.0), _HUB, _TYRE)
    parts += _end(half, long, aspect)
    if aspect.tail and aspect.fine and closed:
        z = -long - _OUT / 2
        parts.append(rectangle(-0.03, 0.03, 1.0, it.height - 0.1, z, it.box * 0.45))
        for y in (1.3, it.height - 0.4):
            parts.append(rectangle(-half * 0.9, half * 0.9, y, y + 0.07, z, it.box * 0.5))
    return Solid.of(parts, TRUCK)


def _cab(it: Truck, behind: float, aspect: Aspect) -> Iterator[Polygon]:
    """The cab, its windscreen and the side window."""
    half = it.half * 0.98
    yield from block(half, (behind, it.long), (0.5, 2.65), it.cab, aspect)
    if aspect.side:
        yield pane(aspect.side * half * 1.003, behind + 0.7, it.long - 0.12, 1.55, 2.3, _GLASS)
    if not aspect.tail:
        z = it.long + _OUT / 2
        yield rectangle(-half * 0.92, half * 0.92, 1.5, 2.35, z, _GLASS)
        yield rectangle(-half * 0.7, half * 0.7, 0.85, 1.25, z, (34, 35, 38))


@lru_cache(maxsize=16)
def bus(style: int, aspect: Aspect) -> Solid:
    """The polygons (right, up, forward) of a bus of one or two decks."""
    it = _bus(style)
    half, long = it.half, it.long
    parts = list(_chassis(half, long, aspect))
    parts += block(half, (-long, long), (0.32, it.height), it.paint, aspect)
    if aspect.side:
        parts += _bus_side(it, aspect.side * half * 1.002, aspect)
    parts += wheels(aspect, half, (-long + 2.7, long - 2.4), _HUB, _TYRE)
    parts += _bus_end(it, aspect.tail, aspect.fine)
    parts += _end(half, long, aspect)
    return Solid.of(parts, BUS)


def _bus_side(it: Bus, x: float, aspect: Aspect) -> Iterator[Polygon]:
    """Rows of windows between pillars, a stripe, and the doors on the kerb's side."""
    long, light = it.long, 0.84 + aspect.lit
    flank = it.paint * light
    yield pane(x, -long, long, 0.75, 1.0, it.stripe * light)
    for deck in range(it.decks):
        up = 1.3 + 1.55 * deck, 2.3 + 1.45 * deck
        yield pane(x, -long + 0.5, long - 0.15, *up, _GLASS)
        if aspect.fine:
            for z in np.arange(-long + 1.9, long - 1.0, 1.45):
                yield pane(x, z, z + 0.1, *up, flank * 0.9)
    if aspect.side < 0:
        yield pane(x, long - 1.5, long - 0.3, 0.4, 2.35, _GLASS)
        if aspect.fine:
            yield pane(x, long - 0.93, long - 0.87, 0.4, 2.35, flank)


def _bus_end(it: Bus, tail: bool, fine: bool) -> Iterator[Polygon]:
    """Windscreen and destination, or the rear window and the engine's flap."""
    wide, z = it.half * 0.9, -it.long - _OUT / 2 if tail else it.long + _OUT / 2
    yield rectangle(-wide, wide, *((1.55, 2.25) if tail else (1.05, 2.3)), z, _GLASS)
    if it.decks == 2:
        yield rectangle(-wide, wide, 3.0, 3.8, z, _GLASS)
    if tail:
        yield rectangle(-wide * 0.8, wide * 0.8, 0.6, 1.15, z, it.paint * 0.5)
    else:
        yield rectangle(-wide * 0.8, wide * 0.8, 2.42, 2.78, z, (20, 20, 22))
        if fine:
            yield rectangle(-wide * 0.55, wide * 0.6, 2.52, 2.68, z + 0.002, (236, 176, 60))


def _chassis(half: float, long: float, aspect: Aspect) -> Iterator[Polygon]:
    """What is dark between the wheels."""
    yield from block(half * 0.96, (-long, long), (0.32, 0.95), np.array((26.0, 26.0, 28.0)), aspect)
    z = -long + 0.6 if aspect.tail else long - 0.6
    for x in (-half * 0.96, half * 0.62):
        yield rectangle(x, x + half * 0.34, 0.0, 0.5, z, (18, 18, 20))


def _end(half: float, long: float, aspect: Aspect) -> Iterator[Polygon]:
    """Lamps, bumper and number plate on the end that the camera sees."""
    if aspect.tail:
        z, lamp = -long - _OUT, (236, 40, 34) if aspect.braking else (158, 26, 26)
    else:
        z, lamp = long + _OUT, (228, 230, 224)
    yield rectangle(-half * 0.98, half * 0.98, 0.34, 0.58, z, (44, 45, 48))
    yield from lamps(half, (0.72, 0.95), (0.62, 0.86), z, lamp)
    if aspect.fine:
        plate = (196, 170, 60) if aspect.tail else (226, 226, 222)
        yield rectangle(-0.26, 0.26, 0.4, 0.52, z, plate)
