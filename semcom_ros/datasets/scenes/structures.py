# SPDX-License-Identifier: Apache-2.0
"""How what stands still is painted: buildings, fences and hedges, trees, posts and signs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np

from semcom_ros.datasets.scenes import lights
from semcom_ros.datasets.scenes.canvas import Canvas, Polygon, Solid
from semcom_ros.datasets.scenes.geometry import NEAR, Street
from semcom_ros.datasets.scenes.textures import Pyramid, front, pyramid, tree
from semcom_ros.datasets.scenes.things import Building, Fence, Post, Tree
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

BUILDING, FENCE, POLE = (TRAIN_ID[n] for n in ("building", "fence", "pole"))
SIGN, VEGETATION = TRAIN_ID["traffic sign"], TRAIN_ID["vegetation"]


def shaded(colour: Colour, light: float) -> Colour:
    return tuple(c * light for c in colour)


def sunlight(canvas: Canvas, x: float) -> float:
    """How bright a front at `x` is that faces the street: the sun lights the far side of it."""
    return 1.0 + canvas.light.contrast * (0.25 if (x > 0) != (canvas.light.sun > 0) else -0.35)


def building(canvas: Canvas, street: Street, it: Building) -> None:
    wall, corners, shell = _building(street, it, sunlight(canvas, it.x))
    canvas.solid(shell, canvas.view.to_camera(shell.points))
    _front(canvas, canvas.view.to_camera(corners), wall)


@lru_cache(maxsize=256)
def _building(street: Street, it: Building, light: float) -> tuple[Pyramid, np.ndarray, Solid]:
    """The front's texture and corners [4, 3], and roof, chimneys and near gable; in the world."""
    rng = np.random.default_rng((it.style, 42))
    side = 1 if it.x > 0 else -1
    inner, deep, ridge = it.x + side * 3.5, it.x + side * 7.0, it.height + (it.style % 5) * 0.55
    wall = front(it.style, round(it.end - it.s, 1), round(it.height, 1), it.shop)
    gable = shaded(tuple(wall[wall.shape[0] // 2, :6].mean(0)), 0.72)
    roof = shaded((118, 84, 68) if rng.random() < 0.4 else (92, 92, 98), rng.uniform(0.7, 1.1))

    def flat(corners: list[tuple[float, float, float]], colour: Colour) -> Polygon:
        return street.points(corners), colour, BUILDING

    near, far = (it.s, it.x, it.height), (it.end, it.x, it.height)
    shell = [flat([near, far, (it.end, inner, ridge), (it.s, inner, ridge)], shaded(roof, light))]
    if ridge > it.height + 1:
        for s in (it.s + 0.4, it.end - 1.2):
            foot, top = ridge - 0.6, ridge + 0.9
            corners = [
                (s, inner, foot),
                (s, inner, top),
                (s + 0.8, inner, top),
                (s + 0.8, inner, foot),
            ]
            shell.append(flat(corners, gable))
    outline = [(it.x, 0), (it.x, it.height), (inner, ridge), (deep, it.height), (deep, 0)]
    shell.append(flat([(it.s, x, y) for x, y in outline], gable))
    ends = [near, far, (it.end, it.x, 0), (it.s, it.x, 0)]
    texture = np.full((*wall.shape[:2], 4), BUILDING, np.uint8)
    texture[..., :3] = np.clip(wall * light, 0, 255)
    return pyramid(texture), street.points(ends), Solid.of(shell)


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
    solid = _fence(street, it, sunlight(canvas, it.x), fine)
    canvas.solid(solid, canvas.view.to_camera(solid.points))


@lru_cache(maxsize=1024)
def _fence(street: Street, it: Fence, light: float, fine: bool) -> Solid:
    make = {"railing": _railing, "hedge": _hedge}.get(it.kind, _boards)
    parts = islice(make(it, light), None if fine else 2)
    return Solid.of((street.points(p), c, label) for p, c, label in parts)


def _panel(
    it: Fence, s0: float, s1: float, y0: float, y1: float, colour: Colour, label: int = FENCE
) -> Polygon:
    return [(s0, it.x, y0), (s1, it.x, y0), (s1, it.x, y1), (s0, it.x, y1)], colour, label


def _railing(it: Fence, light: float) -> Iterator[Polygon]:
    # Between the bars one sees what is behind, but its class is the fence's, as in CamVid.
    yield _panel(it, it.s, it.end, 0, it.height, shaded((96, 98, 86), light * 0.8))
    for s in np.arange(it.s, it.end, 0.25):
        yield _panel(it, s, s + 0.06, 0, it.height, shaded((52, 54, 56), light))
    yield _panel(it, it.s, it.end, it.height - 0.07, it.height, shaded((52, 54, 56), light))


def _hedge(it: Fence, light: float) -> Iterator[Polygon]:
    rng = np.random.default_rng((int(abs(it.s) * 10), 43))
    green, deep = shaded((74, 90, 48), light), it.x + math.copysign(0.8, it.x)
    top = [(it.s, it.x), (it.end, it.x), (it.end, deep), (it.s, deep)]
    yield [(s, x, it.height) for s, x in top], shaded(green, 1.15), VEGETATION
    yield _panel(it, it.s, it.end, 0, it.height, shaded(green, 0.85), VEGETATION)
    for _ in range(22):
        s, y = rng.uniform(it.s, it.end - 0.5), rng.uniform(0.0, it.height - 0.2)
        leaf = shaded(green, rng.uniform(0.55, 1.3))
        yield _panel(
            it, s, s + rng.uniform(0.15, 0.5), y, y + rng.uniform(0.08, 0.3), leaf, VEGETATION
        )


def _boards(it: Fence, light: float) -> Iterator[Polygon]:
    base = shaded((138, 100, 78) if it.kind == "wall" else (126, 104, 74), light)
    yield _panel(it, it.s, it.end, 0, it.height, shaded(base, 0.9))
    step = 0.3 if it.kind == "wall" else it.height / 2
    for y in np.arange(step, it.height, step):
        yield _panel(it, it.s, it.end, y - 0.03, y, shaded(base, 0.72))
    yield _panel(it, it.s, it.end, it.height - 0.1, it.height, shaded(base, 1.15))
    if it.kind == "panel":
        for s in np.arange(it.s, it.end, 0.5):
            yield _panel(it, s, s + 0.05, 0, it.height, shaded(base, 0.7))


def planted(canvas: Canvas, street: Street, it: Tree, bare: bool) -> None:
    foot, top = canvas.view.to_camera(street.points([(it.s, it.x, 0), (it.s, it.x, it.height)]))
    if foot[2] > 2.0:
        (x, bottom), (_, y) = canvas.pixels_of(np.array([foot, top]))
        half = (bottom - y) * 0.375
        box, plane = (x - half, y, x + half, bottom), np.array([foot, top, foot + (1, 0, 0)])
        canvas.sprite(box, tree(it.style % 8, bare), plane, VEGETATION)


_GREY = {
    "lamp": (98, 102, 100),
    "sign": (122, 124, 124),
    "light": (60, 62, 64),
    "bollard": (44, 44, 46),
}
_RADIUS = {"lamp": 0.075, "sign": 0.04, "light": 0.06, "bollard": 0.09}


def post(canvas: Canvas, street: Street, it: Post) -> None:
    foot, top = canvas.view.to_camera(street.points([(it.s, it.x, 0), (it.s, it.x, it.height)]))
    if foot[2] < 1.2:
        return
    # A pole is never drawn thinner than a pixel of the frame: its label would come and go.
    least = foot[2] / canvas.view.camera.fx * 0.55
    w, grey = max(_RADIUS[it.kind], least), _GREY[it.kind]
    pole = [foot + (-w, 0, 0), foot + (w, 0, 0), top + (w, 0, 0), top + (-w, 0, 0)]
    sheen = [foot, foot + (w / 2, 0, 0), top + (w / 2, 0, 0), top]
    if it.kind == "lamp":
        thick, inward = max(0.06, w), -math.copysign(1.0, it.x)
        head = top + (1.3 * inward, 0.15, 0)
        end, below = head + (0.55 * inward, 0, 0), np.array([0, -2 * thick, 0])
        arm = [top + (0, -thick, 0), head + (0, -thick, 0), head, top]
        points = np.array([*pole, *sheen, *arm, head + below, end + below, end, head])
        colours = (grey, shaded(grey, 1.35), grey, (190, 188, 176))
    else:
        points, colours = np.array(pole + sheen), (grey, shaded(grey, 1.35))
    spans = tuple((4 * i, 4 * i + 4) for i in range(len(colours)))
    canvas.solid(Solid(points, spans, np.array(colours), (POLE,) * len(spans)), points)
    if it.kind == "sign":
        face = _sign(it.style % 40)
        canvas.solid(face, face.points + top, it.id)
    elif it.kind == "light":
        states = lights.lit(it.style, it.s - canvas.view.position[2]) if it.facing else None
        face = lights.head(states)
        canvas.solid(face, face.points + top + (0, lights.CENTRE, 0), it.id)


def plate(it: Post) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a sign or light around its pole's top."""
    return lights.extent() if it.kind == "light" else _plate(it.style % 40)


@lru_cache(maxsize=40)
def _plate(style: int) -> np.ndarray:
    points, thick = _sign(style).points, (0, 0, 0.015)
    return np.array([points.min(0) - thick, points.max(0) + thick])


@lru_cache(maxsize=40)
def _sign(style: int) -> Solid:
    """A plate that faces the camera: prohibition, warning, mandatory, parking or direction."""
    kind, size = style % 5, 0.33 + (style // 5 % 4) * 0.04

    def disc(sides: int, radius: float, colour: Colour, turn: float = 0.0) -> Polygon:
        a = np.arange(sides) * 2 * math.pi / sides + turn + math.pi / 2
        return np.stack([np.cos(a), np.sin(a), 0 * a], 1) * radius, colour, SIGN

    def board(w: float, h: float, colour: Colour) -> Polygon:
        return [(-w, -h, 0), (w, -h, 0), (w, h, 0), (-w, h, 0)], colour, SIGN

    if kind == 0:
        red = disc(14, size, (196, 34, 36))
        return Solid.of(
            [red, disc(14, size * 0.72, (232, 232, 228)), disc(4, size * 0.3, (30, 30, 32))]
        )
    if kind == 1:
        return Solid.of([disc(3, size * 1.25, (200, 36, 38)), disc(3, size * 0.8, (234, 234, 228))])
    if kind == 2:
        return Solid.of(
            [disc(14, size, (34, 74, 158)), disc(3, size * 0.6, (230, 232, 236), math.pi)]
        )
    if kind == 3:
        return Solid.of([board(0.34, 0.48, (36, 78, 156)), board(0.2, 0.1, (232, 234, 236))])
    back, ink = ((28, 98, 66), (232, 234, 236)) if style % 2 else ((226, 226, 220), (36, 36, 40))
    return Solid.of([board(0.8, 0.4, back), board(0.5, 0.08, ink)])
