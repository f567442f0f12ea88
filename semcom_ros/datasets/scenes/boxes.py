# SPDX-License-Identifier: Apache-2.0
"""The objects that a frame shows, with boxes in the picture and in space as they are painted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from semcom_ros.datasets.scenes import bicycles, people, structures, vehicles
from semcom_ros.datasets.scenes.geometry import Street, View
from semcom_ros.datasets.scenes.surfaces import Surfaces
from semcom_ros.datasets.scenes.things import Bicycle, Person, Post, Rider, Thing, Vehicle
from semcom_ros.objects import Box3D, Object

Named = Vehicle | Bicycle | Person | Rider | Post
_EXTENTS = {
    Vehicle: vehicles.extent,
    Bicycle: bicycles.extent,
    Person: people.walking,
    Rider: people.riding,
    Post: structures.plate,
}


def _name(it: Named) -> str:
    """The class of a thing that is an object."""
    match it:
        case Vehicle():
            return it.kind
        case Post():
            return f"traffic {it.kind}"
        case _:
            return type(it).__name__.lower()


def _turn(it: Named) -> float:
    """How far its front is turned right of the street's way, in radians."""
    if isinstance(it, Bicycle):
        return it.turn
    return math.pi if getattr(it, "heading", 1) < 0 else 0.0


def objects(
    surfaces: Surfaces,
    instances: np.ndarray,
    things: Sequence[Thing],
    street: Street,
    view: View,
) -> tuple[Object, ...]:
    """Those of `things`, in their order, that `instances` [H, W] show."""
    seen = {t.id: surfaces.seen(t.id, instances) for t in things if getattr(t, "id", 0)}
    shown = [t for t in things if seen.get(getattr(t, "id", 0))]
    boxes = boxes_3d(shown, street, view)
    return tuple(
        Object(_name(t), t.id, seen[t.id][0], box, seen[t.id][1])
        for t, box in zip(shown, boxes, strict=True)
    )


def boxes_3d(things: Sequence[Named], street: Street, view: View) -> list[Box3D]:
    """The boxes of `things` in the optical frame of `view`."""
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
    yaws = np.where(plate, math.pi, np.arctan(street.slope(s)) - view.yaw + turns)
    pitches = np.where(plate, 0.0, view.pitch)
    return [
        Box3D((right, -up, ahead), (length, wide, high), math.remainder(yaw, math.tau), pitch)
        for (right, up, ahead), (wide, high, length), yaw, pitch in zip(
            centre.tolist(),
            (extents[:, 1] - extents[:, 0]).tolist(),
            yaws.tolist(),
            pitches.tolist(),
            strict=True,
        )
    ]
