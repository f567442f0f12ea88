# SPDX-License-Identifier: Apache-2.0
"""A drive through a town that never repeats: frames with exact labels, by seed and frame index."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from semcom_ros.datasets.scenes import boxes, posts, silhouettes, structures, things, vehicles
from semcom_ros.datasets.scenes.canvas import Canvas, Solid
from semcom_ros.datasets.scenes.geometry import Street, Viewpoint
from semcom_ros.datasets.scenes.ground import SKY, ground, shade_under, sky
from semcom_ros.datasets.scenes.surfaces import SCALE, labels_shown
from semcom_ros.datasets.scenes.town import Town
from semcom_ros.datasets.scenes.weather import WEATHERS, daylight, tone_curve
from semcom_ros.errors import choose
from semcom_ros.frame import WORK_SIZE, Camera, Frame, Pose
from semcom_ros.labels import TRAIN_ID

RATE_HZ = 10
SPEED = 8.0
"""Mean speed of the camera car in metres a second."""
HEIGHT, WIDTH = WORK_SIZE
CAMERA_HEIGHT = 1.4
"""Metres from the road to the camera."""
CAMERA = Camera(HEIGHT, WIDTH, 430.0, 430.0, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
"""A dash camera with a horizontal field of view of 62 degrees."""
_HORIZON = 150.0
_PAINTERS: dict[type[things.Thing], Callable[[Canvas, Street, Any], None]] = {
    things.Building: structures.building,
    things.Fence: structures.fence,
    things.Post: posts.post,
    things.Vehicle: vehicles.vehicle,
    things.Bicycle: silhouettes.bicycle,
    things.Person: silhouettes.person,
    things.Rider: silhouettes.rider,
}


class Drive:
    """The drive of one seed; two drives of the same seed are the same to the last bit.

    weather: one of `weather.WEATHERS` instead of the seed's own; it changes the image alone.
    """

    def __init__(self, seed: int, weather: str | None = None) -> None:
        if weather is not None:
            choose(weather, WEATHERS, "weather")
        self.seed = seed
        self._town = Town(seed)
        rng = np.random.default_rng((seed, 60))
        self._pitch = math.atan(rng.uniform(-4, 26) / CAMERA.fy)
        self._bare = bool(rng.random() < 0.45)
        self._blur, noise = rng.uniform(0.35, 0.7), rng.uniform(1.5, 4.5)
        angles = np.arange(64) * math.pi / 32
        self._horizon = [(a, rng.uniform(3.0, 11.0), rng.random() < 0.5) for a in angles]
        light = np.random.default_rng((seed, 62))
        self._light = daylight(light, weather)
        self._tone = tone_curve(light, self._light)
        grains = np.random.default_rng((seed, 61))
        grain = grains.normal(0, noise, (HEIGHT + 64, WIDTH + 64, 3))
        self._grain = grain.round().astype(np.int16)

    def view(self, time: float) -> Viewpoint:
        """Where the camera is at `time` seconds, and where it looks."""
        street = self._town.street
        s = SPEED * time + 6.0 * math.sin(time / 9.0 + self.seed % 6)
        x = street.centre(s) - street.lane / 2 + 0.15 * math.sin(time / 3.0)
        bump = 0.0022 * math.sin(time * 9.1) * math.sin(time * 2.3)
        place, yaw = (float(x), CAMERA_HEIGHT, s), math.atan(street.slope(s + 4.0))
        return Viewpoint(CAMERA, place, yaw, self._pitch + bump)

    def render(self, index: int, truth: bool = False) -> Frame:
        """Frame `index`: image uint8 [256, 512, 3] RGB, labels uint8 [256, 512], stamp in ns.

        truth: whether to add depth, instances and objects, which agree with the labels at every
        pixel; image and labels are the same without.

        Any index from 0 can be rendered alone; neighbours are 1 / `RATE_HZ` seconds apart.
        """
        time = index / RATE_HZ
        view, light, town = self.view(time), self._light, self._town
        street, nearby = town.street, town.things(view.position[2], time)
        picture: np.ndarray = np.empty((HEIGHT, WIDTH, 4), np.uint8)
        picture[..., :3] = sky(view, light, self.seed)
        picture[..., 3] = SKY
        top, colour, labels = ground(town, view, light)
        shade_under(nearby, town, view, light, colour, top)
        picture[top:, :, :3] = np.clip(colour, 0, 255)
        picture[top:, :, 3] = labels
        picture = cv2.resize(picture, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST)
        canvas = Canvas(view, light, picture, truth)
        self._skyline(canvas)
        shown = _visible(nearby, town, view)
        for thing in shown:
            if isinstance(thing, things.Tree):
                structures.planted(canvas, street, thing, self._bare)
            else:
                _PAINTERS[type(thing)](canvas, street, thing)
        painted = np.ascontiguousarray(canvas.pixels[..., 3])
        labels, stamp = labels_shown(painted), index * (10**9 // RATE_HZ)
        pose = Pose(*view.position, view.yaw, view.pitch)
        frame = Frame(self._expose(canvas.pixels, index), labels, stamp, CAMERA, pose=pose)
        if canvas.surfaces is None:
            return frame
        depth, instances = canvas.surfaces.maps(view, painted, labels)
        objects = boxes.objects(canvas.surfaces, instances, shown, street, view)
        return replace(frame, depth=depth, instances=instances, objects=objects)

    def _skyline(self, canvas: Canvas) -> None:
        """Roofs and tree tops where the street ends, so that it does not end in the sky."""
        view = canvas.view
        for angle, height, green in self._horizon:
            turn = (angle - view.yaw + math.pi) % (2 * math.pi) - math.pi
            if abs(turn) < 0.8:
                right = [_HORIZON * math.tan(v) for v in (turn - 0.06, turn + 0.06)]
                low, high = (y - view.pitch * _HORIZON for y in (-4.0, height))
                corners = [(right[0], low), (right[0], high), (right[1], high), (right[1], low)]
                tone = (66, 78, 50) if green else (128, 112, 100)
                label = "vegetation" if green else "building"
                block = Solid.of([([(x, y, _HORIZON) for x, y in corners], tone)], TRAIN_ID[label])
                canvas.solid(block, block.points)

    def _expose(self, pixels: np.ndarray, index: int) -> np.ndarray:
        """What the camera makes of the canvas: lens blur, tone curve, sensor noise."""
        image = cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)[..., :3]
        image = cv2.GaussianBlur(image, (3, 3), self._blur)
        image = cv2.LUT(image, self._tone)
        dy, dx = np.random.default_rng((self.seed, 63, index)).integers(0, 64, 2)
        grain = self._grain[dy : dy + HEIGHT, dx : dx + WIDTH]
        return np.clip(image + grain, 0, 255).astype(np.uint8)


def _visible(nearby: list[things.Thing], town: Town, view: Viewpoint) -> list[things.Thing]:
    """Those of `nearby`, in their order, that may be in the picture: the rest costs time."""
    s, x = np.array([(t.s, t.x) for t in nearby]).T
    right, _, ahead = view.to_camera(np.stack([town.street.centre(s) + x, 0 * s, s], 1)).T
    # A parked bus stands 6 m aside and a crown is 8 m wide; what has an end is cut when painted.
    inside = np.abs(right) < ahead * (WIDTH / 2 / CAMERA.fx) + 5.0
    return [t for t, seen in zip(nearby, inside, strict=True) if seen or hasattr(t, "end")]
