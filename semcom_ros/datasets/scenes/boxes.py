# SPDX-License-Identifier: Apache-2.0
"""The objects that a frame shows, with boxes in the picture and in space as they are painted."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from semcom_ros.datasets.scenes import posts, silhouettes, vehicles
from semcom_ros.datasets.scenes.geometry import Street, Viewpoint
from semcom_ros.datasets.scenes.surfaces import Surfaces
from semcom_ros.datasets.scenes.things import Bicycle, Person, Post, Rider, Thing, Vehicle
from semcom_ros.objects import Box3D, Object

_EXTENTS: dict[type[Thing], Callable[[Any], np.ndarray]] = {
    Vehicle: vehicles.extent,
    Bicycle: silhouettes.bicycle_extent,
    Person: silhouettes.person_extent,
    Rider: silhouettes.rider_extent,
    Post: posts.plate,
}


def _turn(it: Thing) -> float:
    """How far its front is turned right of the street's way, in radians."""
    if isinstance(it, Bicycle):
        return it.turn
    return math.pi if getattr(it, "heading", 1) < 0 else 0.0


def objects(
    surfaces: Surfaces,
    instances: np.ndarray,
    things: Sequence[Thing],
    street: Street,
    view: Viewpoint,
) -> tuple[Object, ...]:
    """Those of `things`, in their order, that `instances` [H, W] show."""
    found = [(t, surfaces.seen(t.id, instances)) for t in things if t.id]
    shown = [(t, *seen) for t, seen in found if seen]
    boxes = boxes_3d([t for t, *_ in shown], street, view)
    return tuple(
        Object(t.name, t.id, box, box_3d, visible)
        for (t, box, visible), box_3d in zip(shown, boxes, strict=True)
    )


def boxes_3d(things: Sequence[Thing], street: Street, view: Viewpoint) -> list[Box3D]:
    """The boxes of `things`, which are objects, in the optical frame of `view`."""
    if not things:
        return []
    extents = np.array([_EXTENTS[type(t)](t) for t in things])
    turns = np.array([_turn(t) for t in things])
    middle = extents.mean(1)
    middle[:, 0] = np.sin(turns) * middle[:, 2]
    middle[:, 2] *= np.cos(turns)
    # A sign or light is painted as a plate that faces the camera, around the top of its pole.
    plate = np.array([isinstance(t, Post) for t in things])
    foot = np.where(plate[:, None], [(0, getattr(t, "height", 0), 0) for t in things], middle)
    s, x = np.array([(t.s, t.x) for t in things]).T
    centre = view.to_camera(street.placed(s, x, foot)) + np.where(plate[:, None], middle, 0)
    centre[:, 1] *= -1
    yaws = np.where(plate, math.pi, np.arctan(street.slope(s)) - view.yaw + turns)
    pitches = np.where(plate, 0.0, view.pitch).tolist()
    sizes = (extents[:, 1] - extents[:, 0])[:, [2, 0, 1]]
    columns = (map(tuple, centre.tolist()), map(tuple, sizes.tolist()), yaws.tolist(), pitches)
    return [
        Box3D(place, size, math.remainder(yaw, math.tau), pitch)
        for place, size, yaw, pitch in zip(*columns, strict=True)
    ]
