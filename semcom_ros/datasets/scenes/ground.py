# SPDX-License-Identifier: Apache-2.0
"""Sky and ground: what fills the picture before anything stands in it, pixel by pixel."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from semcom_ros.datasets.scenes.geometry import Viewpoint
from semcom_ros.datasets.scenes.things import Thing
from semcom_ros.datasets.scenes.town import CROSSINGS, SEGMENT, SIGHT, Town
from semcom_ros.datasets.scenes.weather import Light
from semcom_ros.labels import TRAIN_ID

ROAD, SIDEWALK, GRASS, SKY = (TRAIN_ID[n] for n in ("road", "sidewalk", "vegetation", "sky"))
_TILE = 512


@lru_cache(maxsize=1)
def _noise() -> np.ndarray:
    """Fractal noise float32 [512, 512] with mean 0 and deviation 1 that tiles seamlessly."""
    rng = np.random.default_rng(1)
    total = np.zeros((_TILE, _TILE), np.float32)
    for octave, weight in ((8, 1.0), (32, 0.7), (128, 0.6), (512, 0.8)):
        cells = np.pad(rng.standard_normal((octave, octave)).astype(np.float32), 1, mode="wrap")
        side = _TILE + 2 * _TILE // octave
        edge = _TILE // octave
        total += weight * cv2.resize(cells, (side, side))[edge : edge + _TILE, edge : edge + _TILE]
    return (total - total.mean()) / total.std()


@lru_cache(maxsize=1)
def _clouds() -> np.ndarray:
    return cv2.GaussianBlur(_noise(), (0, 0), 3.0)


def sky(view: Viewpoint, light: Light, seed: int) -> np.ndarray:
    """The sky as uint8 [H, W, 3]: bright at the horizon, with clouds that turn with the camera."""
    k, rng = view.camera, np.random.default_rng((seed, 30))
    haze = np.array(light.haze, np.float32)
    blue = haze.mean() * (
        1 - np.array((0.4, 0.25, 0.06), np.float32) * np.float32(rng.uniform(0, 1))
    )
    soft, white = rng.uniform(0.5, 1.6), rng.uniform(0.3, 0.9) + max(0.0, light.cover - 1) * 0.3
    # Every second pixel is enough for something this soft.
    up = np.linspace(1.0, 0.0, k.height // 2, dtype=np.float32)[:, None, None] ** 1.3
    column = (np.arange(0, k.width, 2) - k.cx) / k.fx + view.yaw
    row = (np.arange(0, k.height, 2) - k.cy) / k.fy - view.pitch
    clouds = _clouds()[
        (row * 560).astype(int)[:, None] % _TILE, (column * 230).astype(int)[None] % _TILE
    ]
    cloud = np.clip((clouds * 1.6 + light.cover) / soft, 0, 1).astype(np.float32)[..., None]
    cloud *= np.float32(min(white, 1.0))
    clear = haze + (blue - haze) * up
    if light.glow:
        # The low sun stands ahead, on its side of the street.
        near = np.exp(-(((column - 0.45 * light.sun) / 0.5) ** 2)).astype(np.float32)[None, :, None]
        warm = np.array((20, 0, -36), np.float32)
        clear = clear + light.glow * (1 - up) ** 3 * (0.4 + 0.6 * near) * warm
    half = np.clip(clear + (haze * 1.04 - clear) * cloud, 0, 255).astype(np.uint8)
    return cv2.resize(half, (k.width, k.height))


def ground(town: Town, view: Viewpoint, light: Light) -> tuple[int, np.ndarray, np.ndarray]:
    """First row of the ground, its colours float32 [rows, W, 3] and its labels uint8 [rows, W]."""
    street = town.street
    top, *hit = view.ground()
    world_x, s = (v.astype(np.float32) for v in hit)
    ahead = np.maximum(s - np.float32(view.position[2]), 1.0)
    x = world_x - street.centre(s)
    far = np.abs(x)
    first = math.floor(float(s.min()) / SEGMENT)
    count = math.ceil((view.position[2] + 2 * SIGHT) / SEGMENT) - first
    sides = [[town.zone(first + i, side) == "shops" for side in (-1, 1)] for i in range(count)]
    cell = np.clip((s / SEGMENT).astype(np.int32) - first, 0, count - 1)
    paved = np.array(sides)[cell, np.greater(x, 0).view(np.int8)]
    labels = np.where(far < street.road, np.uint8(ROAD), np.uint8(SIDEWALK))
    labels[(far > street.front) & ~paved] = GRASS

    rng = np.random.default_rng((town.seed, 31))
    stone = rng.uniform(120, 165) * np.array([1.0, rng.uniform(0.96, 1.0), rng.uniform(0.9, 0.99)])
    palette = np.zeros((256, 3), np.float32)
    palette[ROAD] = np.array([1.0, 0.99, 0.98]) * rng.uniform(88, 138)
    palette[SIDEWALK] = stone
    palette[GRASS] = rng.uniform((62, 84, 40), (92, 104, 58))
    colour = palette.take(labels, 0)

    # Metres of street that a pixel's height covers: texture fades where that is more than a texel.
    footprint = ahead * ahead * np.float32(1 / (view.camera.fy * view.position[1]))
    noise, wrap = _noise(), _TILE - 1
    fine = noise[(s * 31).astype(np.int32) & wrap, (x * 37).astype(np.int32) & wrap]
    coarse = noise[(s * 3.1).astype(np.int32) & wrap, (x * 11).astype(np.int32) & wrap]
    shade = 1 + 0.055 * fine / (1 + 12 * footprint) + 0.05 * coarse / (1 + 1.5 * footprint)
    slabs = np.nonzero((labels == SIDEWALK) & (footprint < 0.12) & (far > street.road + 0.2))
    joints = ((s[slabs] % 0.9) < 0.05) | ((far[slabs] % 0.6) < 0.04)
    shade[slabs] *= np.where(joints, np.float32(0.86), np.float32(1))

    def line(distance: np.ndarray, half: float) -> np.ndarray:
        """How much of each pixel, 0..1, a line covers that runs along the street."""
        blur = 0.012 + ahead * np.float32(0.6 / view.camera.fx)
        return np.clip((half - np.abs(distance)) / blur + 0.5, 0, 1)

    def blend(cover: np.ndarray, target: np.ndarray) -> None:
        some = cover > 0
        colour[some] += cover[some][:, None] * (target.astype(np.float32) - colour[some])

    if rng.random() < 0.6:
        # No waiting: double yellow lines along the kerb.
        blend(0.75 * line(np.abs(far - street.road + 0.35) - 0.1, 0.05), np.array([178, 150, 62]))
    dash = np.clip((2.0 - np.abs(s % 6.0 - 3.0) * 2) / (footprint + 0.02) + 0.5, 0, 1)
    paint = line(x, 0.06) * dash
    if street.road - street.lane > 1.5:
        paint = np.maximum(
            paint, line(far - street.lane, 0.045) * ((s % 1.6 < 0.8) & (footprint < 2))
        )
    along = s % CROSSINGS - town.crossing
    crossing = np.abs(along) < 1.5
    paint = np.maximum(paint, 0.9 * (crossing & ((x % 1.2) < 0.6) & (far < street.road)))
    # Who comes from either side stops before the crossing.
    stop = np.abs(np.where(x < 0, -along, along) - 2.6) < 0.15
    paint = np.maximum(paint, stop & (far < street.lane) & (footprint < 1))
    blend(paint * (0.88 + 0.08 * np.clip(fine, -2, 1)), np.array([205, 205, 200]))
    blend(line(far - street.road - 0.09, 0.09), stone * 1.12)
    shade *= 1 - 0.28 * line(far - street.road + 0.07, 0.07)
    shade *= _shadow_of_houses(x, s, paved, town, light)
    if light.wet:
        # The flatter one looks at wet ground, the more of the sky it mirrors.
        paved = labels != GRASS
        mirror = light.wet * 0.5 * ahead / (ahead + 9) * np.clip(0.75 + 0.25 * coarse, 0, 1) * paved
        shade *= 1 - light.wet * 0.3 * paved
        colour += mirror[..., None] * (np.array(light.haze, np.float32) - colour)
    clear = np.exp(ahead * np.float32(-1 / light.sight))
    colour *= cv2.merge((shade * clear,) * 3)
    colour += cv2.merge([(1 - clear) * np.float32(haze) for haze in light.haze])
    return top, colour, labels


def _shadow_of_houses(
    x: np.ndarray, s: np.ndarray, paved: np.ndarray, town: Town, light: Light
) -> np.ndarray:
    """Brightness 0..1 under a sun that the buildings on its side keep off the near kerb."""
    reach = town.street.front * np.where(paved, np.float32(0.15), np.float32(0.55))
    reach = reach / np.float32(light.reach)
    reach += 0.9 * np.sin(s * 0.23)
    return 1 - light.contrast * np.clip((x * light.sun - reach) * 2.5, 0, 1)


def shade_under(
    things: list[Thing], town: Town, view: Viewpoint, light: Light, colour: np.ndarray, top: int
) -> None:
    """Darken the ground (rows from `top` on, in place) under and beside what stands on it."""
    near = [t for t in things if t.shadow and -6.0 < t.s - view.position[2] < 70]
    if not near:
        return
    away = -light.sun * 0.5 * light.contrast * light.reach
    local, depths = [], []
    for w, length, dark in (t.shadow for t in near if t.shadow):
        x0, x1 = -w + min(away, 0), w + max(away, 0)
        local += [(x0, 0, -length), (x0, 0, length), (x1, 0, length), (x1, 0, -length)]
        depths.append(dark)
    s, x = (np.repeat([getattr(t, name) for t in near], 4) for name in ("s", "x"))
    points = view.to_camera(town.street.placed(s, x, np.array(local)))
    seen = np.any(points[:, 2].reshape(-1, 4) > 1.0, 1)
    points[:, 2] = np.maximum(points[:, 2], 1.0)
    corners = np.clip(view.to_pixels(points) - (0, top), -9000, 9000) * 16
    mask = np.zeros(colour.shape[:2], np.uint8)
    for quad, dark, visible in zip(
        corners.astype(np.int32).reshape(-1, 4, 2), depths, seen, strict=True
    ):
        if visible:
            cv2.fillConvexPoly(mask, quad, dark, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (5, 5), 1.4).astype(np.float32)
    colour *= cv2.merge((1 - soft / 300,) * 3)
