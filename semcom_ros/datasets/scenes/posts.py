# SPDX-License-Identifier: Apache-2.0
"""How lamp posts, bollards, signs and traffic lights are painted, and which lamp is lit."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from semcom_ros.datasets.scenes.canvas import Canvas, Solid
from semcom_ros.datasets.scenes.geometry import Street
from semcom_ros.datasets.scenes.shapes import Polygon, board, disc
from semcom_ros.datasets.scenes.things import Post
from semcom_ros.datasets.scenes.weather import Colour
from semcom_ros.labels import TRAIN_ID

POLE, SIGN, LIGHT = (TRAIN_ID[name] for name in ("pole", "traffic sign", "traffic light"))
_POLES = {
    "lamp": (0.075, (98, 102, 100)),
    "sign": (0.04, (122, 124, 124)),
    "light": (0.06, (60, 62, 64)),
    "bollard": (0.09, (44, 44, 46)),
}
"""Radius in metres and colour by kind."""
_SIGNS = 40
"""Signs that differ: kinds, sizes and colours."""
_CENTRE = np.array((0, -0.62, 0))
"""The middle of a traffic light's head from the top of its pole, in metres."""
_WIDE, _HIGH = 0.27, 0.6
"""Half width and half height in metres of the board behind the lamps."""
_LAMPS = ((0.34, (255, 44, 34)), (0.0, (255, 176, 30)), (-0.34, (50, 255, 160)))
"""Height above the middle and colour of red, amber and green."""
_WHITE = (232, 234, 236)
States = tuple[bool, bool, bool]


def post(canvas: Canvas, street: Street, it: Post) -> None:
    foot, top = canvas.view.to_camera(street.points([(it.s, it.x, 0), (it.s, it.x, it.height)]))
    if foot[2] < 1.2:
        return
    radius, colour = _POLES[it.kind]
    # A pole is never drawn thinner than a pixel of the frame: its label would come and go.
    w = max(radius, foot[2] / canvas.view.camera.fx * 0.55)
    right, grey = np.array((w, 0, 0)), np.array(colour)
    parts: list[Polygon] = [
        ([foot - right, foot + right, top + right, top - right], grey),
        ([foot, foot + right / 2, top + right / 2, top], grey * 1.35),
    ]
    if it.kind == "lamp":
        inward, down = -math.copysign(1.0, it.x), np.array([0, -max(0.06, w), 0])
        head = top + (1.3 * inward, 0.15, 0)
        end = head + (0.55 * inward, 0, 0)
        parts.append(([top + down, head + down, head, top], grey))
        parts.append(([head + 2 * down, end + 2 * down, end, head], (190, 188, 176)))
    pole = Solid.of(parts, POLE)
    canvas.solid(pole, pole.points)
    if it.kind in ("sign", "light"):
        face = _face(it, it.s - canvas.view.position[2])
        canvas.solid(face, face.points + top, it.id)


def plate(it: Post) -> np.ndarray:
    """Lowest and highest (right, up, forward) [2, 3] of a sign or light around its pole's top."""
    points, thick = _face(it, 0.0).points, (0, 0, 0.015)
    return np.array([points.min(0) - thick, points.max(0) + thick])


def _face(it: Post, ahead: float) -> Solid:
    """What a pole carries around its top, seen from `ahead` metres before it."""
    if it.kind == "sign":
        return _sign(it.style % _SIGNS)
    return _head(lit(it.style, ahead) if it.facing else None)


def lit(style: int, ahead: float) -> States:
    """Which of red, amber and green are lit of a light `ahead` metres before the camera car.

    The car never stops, so a red light turns red and amber and then green while it comes near.
    """
    until = 18.0 + style % 53
    if style % 3 == 0 or ahead < until:
        return False, False, True
    return True, ahead < until + 10.0, False


@lru_cache(maxsize=16)
def _head(states: States | None) -> Solid:
    """The head of a traffic light that faces the camera; None shows its back."""
    if states is None:
        parts = [board(_WIDE, _HIGH, (40, 42, 44)), board(0.16, 0.5, (58, 60, 62))]
    else:
        parts = [
            board(_WIDE, _HIGH, (206, 206, 200)),
            board(_WIDE - 0.04, _HIGH - 0.04, (14, 14, 16)),
        ]
        for (up, colour), on in zip(_LAMPS, states, strict=True):
            tone = np.array(colour) * (1.0 if on else 0.16)
            parts.append((disc(12, 0.15 if on else 0.12) + (0, up, 0), tone))
    return Solid.of([(points + _CENTRE, colour) for points, colour in parts], LIGHT)


@lru_cache(maxsize=_SIGNS)
def _sign(style: int) -> Solid:
    """A plate that faces the camera: prohibition, warning, mandatory, parking or direction."""
    size, light = 0.33 + (style // 5 % 4) * 0.04, style % 2

    def part(sides: int, radius: float, colour: Colour, turn: float = 0.0) -> Polygon:
        return disc(sides, radius, turn + math.pi / 2), colour

    kinds = (
        (part(14, size, (196, 34, 36)), part(14, size * 0.72, (232, 232, 228)),
         part(4, size * 0.3, (30, 30, 32))),
        (part(3, size * 1.25, (200, 36, 38)), part(3, size * 0.8, (234, 234, 228))),
        (part(14, size, (34, 74, 158)), part(3, size * 0.6, (230, 232, 236), math.pi)),
        (board(0.34, 0.48, (36, 78, 156)), board(0.2, 0.1, _WHITE)),
        (board(0.8, 0.4, (28, 98, 66) if light else (226, 226, 220)),
         board(0.5, 0.08, _WHITE if light else (36, 36, 40))),
    )  # fmt: skip
    return Solid.of(kinds[style % 5], SIGN)
