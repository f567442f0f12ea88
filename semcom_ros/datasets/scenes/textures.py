# SPDX-License-Identifier: Apache-2.0
"""House fronts and tree crowns, drawn once each and then seen in perspective many times."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

Pyramid = tuple[np.ndarray, ...]
TEXELS = 18
"""Texture pixels a metre of house front."""
WALLS = np.array([
    (196, 178, 138), (170, 148, 112), (142, 92, 70), (160, 112, 88), (122, 84, 68), (222, 218, 206),
    (206, 200, 184), (186, 190, 192), (150, 146, 138), (216, 204, 170),
])  # fmt: skip
FASCIAS = np.array([
    (30, 60, 120), (140, 30, 34), (28, 90, 58), (36, 36, 40), (210, 190, 60), (230, 230, 226),
    (96, 40, 90), (20, 110, 130), (200, 90, 30),
])  # fmt: skip


def front(style: int, width: float, height: float, shop: bool) -> np.ndarray:
    """A house front uint8 [height * TEXELS, width * TEXELS, 3]: wall, windows, door or shop."""
    rng = np.random.default_rng((style, 40))
    w, h = max(8, int(width * TEXELS)), max(8, int(height * TEXELS))
    wall = WALLS[int(rng.integers(len(WALLS)))] * rng.uniform(0.8, 1.1)
    grain = rng.normal(0, 1, (h // 2 + 1, w // 6 + 1, 1)).astype(np.float32)
    grains = cv2.resize(grain, (w, h), interpolation=cv2.INTER_NEAREST)[..., None]
    texture = np.clip(wall * (1 + 0.045 * grains), 0, 255).astype(np.uint8)
    floors = max(1, round(height / 3.0))
    storey = h / floors
    columns = max(1, round(width / rng.uniform(1.9, 3.4)))
    pane_w, pane_h = w / columns * rng.uniform(0.36, 0.6), storey * rng.uniform(0.45, 0.62)
    frame = np.array([(236, 236, 230), (60, 58, 56), (210, 205, 190)][int(rng.integers(3))])
    for floor in range(floors - 1 if shop else floors):
        for column in range(columns):
            x, y = (column + 0.5) * w / columns, (floor + 0.52) * storey
            box = x - pane_w / 2, y - pane_h / 2, x + pane_w / 2, y + pane_h / 2
            _window(texture, rng, box, frame)
    if shop:
        _shop(texture, rng, storey)
    else:
        x = w * rng.uniform(0.15, 0.7)
        colour = tuple(int(c) for c in rng.uniform(20, 150, 3))
        bottom, right = int(h - storey * 0.72), int(x + TEXELS * 0.95)
        cv2.rectangle(texture, (int(x) - 2, bottom - 2), (right + 2, h), frame.tolist(), -1)
        cv2.rectangle(texture, (int(x), bottom), (right, h), colour, -1)
    cv2.rectangle(texture, (0, 0), (w, 4), (wall * 0.7).tolist(), -1)
    cv2.line(texture, (0, 0), (0, h), (wall * 0.6).tolist(), 2)
    return texture


def _window(
    texture: np.ndarray, rng: np.random.Generator, box: tuple[float, ...], frame: np.ndarray
) -> None:
    x0, y0, x1, y1 = (int(v) for v in box)
    glass = np.array([0.92, 1.0, 1.08]) * rng.choice((38, 52, 70, 105), p=(0.4, 0.3, 0.2, 0.1))
    cv2.rectangle(texture, (x0 - 2, y0 - 2), (x1 + 2, y1 + 2), frame.tolist(), -1)
    cv2.rectangle(texture, (x0, y0), (x1, y1), glass.tolist(), -1)
    if rng.random() < 0.3:
        cv2.rectangle(texture, (x0, y0), (x1, (y0 + y1) // 2 - 3), (glass * 1.9).tolist(), -1)
    cv2.line(texture, (x0, (y0 + y1) // 2), (x1, (y0 + y1) // 2), frame.tolist(), 1)
    cv2.line(texture, ((x0 + x1) // 2, y0), ((x0 + x1) // 2, y1), frame.tolist(), 1)
    cv2.rectangle(texture, (x0 - 4, y1 + 3), (x1 + 4, y1 + 5), (frame * 0.85).tolist(), -1)


def _shop(texture: np.ndarray, rng: np.random.Generator, storey: float) -> None:
    """Replace the ground floor by a shop window under a coloured name board."""
    h, w = texture.shape[:2]
    top = int(h - storey)
    fascia = FASCIAS[int(rng.integers(len(FASCIAS)))]
    cv2.rectangle(texture, (0, top), (w, h), (fascia * 0.75).tolist(), -1)
    cv2.rectangle(texture, (2, top + 3), (w - 3, top + int(storey * 0.24)), fascia.tolist(), -1)
    letters = (235, 232, 220) if fascia.sum() < 420 else (40, 40, 60)
    y = top + int(storey * 0.14)
    for x in np.arange(w * 0.2, w * 0.8, 7):
        if rng.random() < 0.8:
            cv2.rectangle(texture, (int(x), y - 3), (int(x) + 4, y + 3), letters, -1)
    panes = max(2, round(w / TEXELS / 2.0))
    for i in range(panes):
        x0, x1 = int(w * i / panes) + 3, int(w * (i + 1) / panes) - 3
        glass = rng.uniform(28, 75)
        y0, y1 = top + int(storey * 0.3), h - (2 if i == panes // 2 else int(storey * 0.14))
        cv2.rectangle(texture, (x0, y0), (x1, y1), (glass, glass, glass * 1.06), -1)
        for _ in range(4):
            x, y = rng.integers(x0, max(x1, x0 + 1)), rng.integers((y0 + y1) // 2, y1)
            goods = tuple(int(c) for c in rng.uniform(60, 190, 3))
            cv2.rectangle(texture, (int(x), int(y)), (int(x) + 6, int(y) + 9), goods, -1)


def pyramid(texture: np.ndarray) -> Pyramid:
    """`texture` and its halvings, down to a side of about 8 pixels: the far use small ones."""
    levels = [texture]
    while min(levels[-1].shape[:2]) >= 16:
        levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return tuple(levels)


def level(levels: Pyramid, height: float) -> np.ndarray:
    """The smallest of `levels` that still has `height` rows, else the largest."""
    return next((t for t in reversed(levels) if t.shape[0] >= height), levels[0])


@lru_cache(maxsize=16)
def tree(style: int, bare: bool) -> Pyramid:
    """The pyramid of a tree uint8 [256, 192, 4] (RGB, opacity), its foot at the middle below."""
    rng = np.random.default_rng((style, 41))
    sprite = np.zeros((256, 192, 4), np.uint8)
    bark = np.array([74, 66, 56]) * rng.uniform(0.7, 1.1)
    if bare:
        _branch(sprite, rng, 96.0, 255.0, -math.pi / 2, 74.0, 8.0, bark)
        return pyramid(sprite)
    _branch(sprite, rng, 96.0, 255.0, -math.pi / 2, 80.0, 9.0, bark, depth=2)
    leaf = np.array([rng.uniform(58, 92), rng.uniform(80, 108), rng.uniform(34, 58)])
    clumps = np.stack([rng.normal(96, 30, 110), rng.normal(94, 38, 110)], 1)
    clumps = clumps[np.argsort(-clumps[:, 1] + rng.normal(0, 25, 110))]
    for x, y in clumps:
        light = 0.6 + 0.55 * np.clip((150 - y) / 130, 0, 1) + rng.normal(0, 0.1)
        r = rng.uniform(7, 17)
        x, y = np.clip(x, r + 2, 190 - r), np.clip(y, r + 2, 190)
        for _ in range(7):
            dx, dy = rng.normal(0, r * 0.6, 2)
            colour = (*(leaf * (light + rng.normal(0, 0.16))).clip(0, 255).tolist(), 255)
            centre, radius = (int(x + dx), int(y + dy)), int(rng.uniform(2, r * 0.55))
            cv2.circle(sprite, centre, radius, colour, -1)
    return pyramid(sprite)


def _branch(
    sprite: np.ndarray,
    rng: np.random.Generator,
    x: float,
    y: float,
    angle: float,
    length: float,
    width: float,
    bark: np.ndarray,
    depth: int = 6,
) -> None:
    x1, y1 = x + length * math.cos(angle), y + length * math.sin(angle)
    colour = (*(bark * rng.uniform(0.85, 1.2)).tolist(), 255)
    cv2.line(sprite, (int(x), int(y)), (int(x1), int(y1)), colour, max(1, round(width)))
    if depth:
        for turn in (-1, 1) if depth < 6 else (-1, 0.1, 1):
            bend = turn * rng.uniform(0.2, 0.62) + rng.normal(0, 0.1)
            shorter = length * rng.uniform(0.62, 0.86)
            _branch(sprite, rng, x1, y1, angle + bend, shorter, width * 0.66, bark, depth - 1)
