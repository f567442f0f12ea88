# SPDX-License-Identifier: Apache-2.0
"""How buildings, fences, hedges and trees are painted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from semcom_ros.datasets.scenes.canvas import Canvas, Solid
from semcom_ros.datasets.scenes.geometry import NEAR, Street
from semcom_ros.datasets.scenes.shapes import Polygon
from semcom_ros.datasets.scenes.textures import Pyramid, front, pyramid, tree
from semcom_ros.datasets.scenes.things import Building, Fence, Tree
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

BUILDING, FENCE, VEGETATION = (TRAIN_ID[name] for name in ("building", "fence", "vegetation"))


def _sunlight(canvas: Canvas, x: float) -> float:
    """How bright a front at `x` is that faces the street: the sun lights the far side of it."""
    return 1.0 + canvas.light.contrast * (0.25 if (x > 0) != (canvas.light.sun > 0) else -0.35)


def building(canvas: Canvas, street: Street, it: Building) -> None:
    wall, corners, shell = _building(street, it, _sunlight(canvas, it.x))
    canvas.solid(shell, canvas.view.to_camera(shell.points))
    _front(canvas, canvas.view.to_camera(corners), wall)


@lru_cache(maxsize=64)
def _building(street: Street, it: Building, light: float) -> tuple[Pyramid, np.ndarray, Solid]:
    """The front's texture and corners [4, 3], and roof, chimneys and near gable; in the world."""
    rng = np.random.default_rng((it.style, 42))
    side = 1 if it.x > 0 else -1
    inner, deep, ridge = it.x + side * 3.5, it.x + side * 7.0, it.height + (it.style % 5) * 0.55
    wall = front(it.style, round(it.end - it.s, 1), round(it.height, 1), it.shop)
    gable = wall[wall.shape[0] // 2, :6].mean(0) * 0.72
    roof = np.array((118, 84, 68) if rng.random() < 0.4 else (92, 92, 98)) * rng.uniform(0.7, 1.1)
    near, far = (it.s, it.x, it.height), (it.end, it.x, it.height)
    top = [near, far, (it.end, inner, ridge), (it.s, inner, ridge)]
    shell: list[Polygon] = [(top, roof * light)]
    if ridge > it.height + 1:
        for s in (it.s + 0.4, it.end - 1.2):
            corners = ((s, -0.6), (s, 0.9), (s + 0.8, 0.9), (s + 0.8, -0.6))
            shell.append(([(s, inner, ridge + y) for s, y in corners], gable))
    outline = [(it.x, 0), (it.x, it.height), (inner, ridge), (deep, it.height), (deep, 0)]
    shell.append(([(it.s, x, y) for x, y in outline], gable))
    texture = np.full((*wall.shape[:2], 4), BUILDING, np.uint8)
    texture[..., :3] = np.clip(wall * light, 0, 255)
    ends = street.points([near, far, (it.end, it.x, 0), (it.s, it.x, 0)])
    return pyramid(texture), ends, _in_world(street, shell, BUILDING)


def _in_world(street: Street, polygons: list[Polygon], label: int) -> Solid:
    """The solid of `polygons` whose points are (s, x, height) in the street."""
    return Solid.of([(street.points(points), colour) for points, colour in polygons], label)


def _front(canvas: Canvas, corners: np.ndarray, wall: Pyramid) -> None:
    """Stretch `wall` over camera points `corners` [4, 3], cut off where they pass the camera."""
    near, reach = 2 * NEAR, float(corners[1:3, 2].min())
    if reach < near + 0.5:
        return
    nearest = float(corners[[0, 3], 2].min())
    if nearest < near:
        cut = (near - nearest) / (reach - nearest)
        corners[0] += (corners[1] - corners[0]) * cut
        corners[3] += (corners[2] - corners[3]) * cut
        wall = tuple(t[:, int(cut * (t.shape[1] - 2)) :] for t in wall)
    canvas.surface(corners, wall)


def fence(canvas: Canvas, street: Street, it: Fence) -> None:
    fine = it.s - canvas.view.position[2] < 45
    solid = _fence(street, it, _sunlight(canvas, it.x), fine)
    canvas.solid(solid, canvas.view.to_camera(solid.points))


@lru_cache(maxsize=128)
def _fence(street: Street, it: Fence, light: float, fine: bool) -> Solid:
    make = {"railing": _railing, "hedge": _hedge}.get(it.kind, _boards)
    label = VEGETATION if it.kind == "hedge" else FENCE
    return _in_world(street, list(islice(make(it, light), None if fine else 2)), label)


def _panel(it: Fence, s0: float, s1: float, y0: float, y1: float, colour: Colour) -> Polygon:
    return [(s0, it.x, y0), (s1, it.x, y0), (s1, it.x, y1), (s0, it.x, y1)], colour


def _railing(it: Fence, light: float) -> Iterator[Polygon]:
    bars = np.array((52, 54, 56)) * light
    # Between the bars one sees what is behind, but its class is the fence's, as in CamVid.
    yield _panel(it, it.s, it.end, 0, it.height, np.array((96, 98, 86)) * (light * 0.8))
    for s in np.arange(it.s, it.end, 0.25):
        yield _panel(it, s, s + 0.06, 0, it.height, bars)
    yield _panel(it, it.s, it.end, it.height - 0.07, it.height, bars)


def _hedge(it: Fence, light: float) -> Iterator[Polygon]:
    rng = np.random.default_rng((int(abs(it.s) * 10), 43))
    green, deep = np.array((74, 90, 48)) * light, it.x + math.copysign(0.8, it.x)
    top = [(it.s, it.x), (it.end, it.x), (it.end, deep), (it.s, deep)]
    yield [(s, x, it.height) for s, x in top], green * 1.15
    yield _panel(it, it.s, it.end, 0, it.height, green * 0.85)
    for _ in range(22):
        s, y = rng.uniform(it.s, it.end - 0.5), rng.uniform(0.0, it.height - 0.2)
        leaf = green * rng.uniform(0.55, 1.3)
        yield _panel(it, s, s + rng.uniform(0.15, 0.5), y, y + rng.uniform(0.08, 0.3), leaf)


def _boards(it: Fence, light: float) -> Iterator[Polygon]:
    base = np.array((138, 100, 78) if it.kind == "wall" else (126, 104, 74)) * light
    yield _panel(it, it.s, it.end, 0, it.height, base * 0.9)
    step = 0.3 if it.kind == "wall" else it.height / 2
    for y in np.arange(step, it.height, step):
        yield _panel(it, it.s, it.end, y - 0.03, y, base * 0.72)
    yield _panel(it, it.s, it.end, it.height - 0.1, it.height, base * 1.15)
    if it.kind == "panel":
        for s in np.arange(it.s, it.end, 0.5):
            yield _panel(it, s, s + 0.05, 0, it.height, base * 0.7)


def planted(canvas: Canvas, street: Street, it: Tree, bare: bool) -> None:
    foot, top = canvas.view.to_camera(street.points([(it.s, it.x, 0), (it.s, it.x, it.height)]))
    if foot[2] > 2.0:
        (x, bottom), (_, y) = canvas.pixels_of(np.array([foot, top]))
        half = (bottom - y) * 0.375
        box, plane = (x - half, y, x + half, bottom), np.array([foot, top, foot + (1, 0, 0)])
        canvas.sprite(box, tree(it.style % 8, bare), plane, VEGETATION)
