# SPDX-License-Identifier: Apache-2.0
"""The RSU's detections as Autoware takes them: `rsu/detections_3d` -> `rsu/objects`.

It needs autoware_perception_msgs, which only an Autoware workspace has.
"""

from __future__ import annotations

import importlib.util
import math
import sys
import time
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np
from vision_msgs.msg import Detection3D, Detection3DArray

from semcom_ros.messages.boxes import likeliest
from semcom_ros.nodes.node_base import SemcomNode

PACKAGE = "autoware_perception_msgs"
AS_BODY = {"x": 0.5, "y": -0.5, "z": 0.5, "w": 0.5}
"""How a body (x ahead, y left, z up) that faces along the optical axis is turned in its frame."""
CLASSES = {
    "person": "PEDESTRIAN",
    "rider": "BICYCLE",
    "bicycle": "BICYCLE",
    "motorcycle": "MOTORCYCLE",
    "car": "CAR",
    "truck": "TRUCK",
    "bus": "BUS",
    "train": "UNKNOWN",
}
"""Name of the constant in Autoware's ObjectClassification. What stands by the road has none. A
rider whose bicycle or motorcycle was seen as well is one object with it, of its class."""
ASTRIDE_M = 1.5
"""A rider sits on a bicycle or motorcycle whose centre is nearer than this across and down, and
nearer than this part of the distance along the axis, which is known far less well."""
ASTRIDE_DEPTH = 0.3


class AutowareNode(SemcomNode):
    """Passes each array on as `DetectedObjects` under the same header.

    It listens only while somebody listens to it: for listeners the RSU makes and reads images.
    """

    executable, working = "autoware_node", "passing detections on to Autoware"
    takes = "array"

    def setup(self) -> None:
        self._messages = importlib.import_module(f"{PACKAGE}.msg")
        self._objects = self.publisher(
            self._messages.DetectedObjects, "rsu/objects", on_demand=True
        )

    def listen(self) -> None:
        self.subscribe(Detection3DArray, "rsu/detections_3d", self._pass_on)

    def _pass_on(self, array: Detection3DArray) -> None:
        began = time.monotonic()
        self.flow.came()
        try:
            self._objects.publish(detected_objects(array, self._messages))
            self.statistics.count("passed_on")
            self.flow.got_through()
            self.statistics.output(time.monotonic() - began, self.age_s(array.header))
        except Exception as error:
            self.fail_frame(error)

    @classmethod
    def main(cls) -> None:
        if importlib.util.find_spec(PACKAGE) is None:
            sys.exit(
                f"autoware_node needs {PACKAGE}, which is not installed here: source an Autoware "
                f"workspace, or install ros-$ROS_DISTRO-{PACKAGE.replace('_', '-')}."
            )
        super().main()


class Sighting(NamedTuple):
    """An object of class `name`: centre and size in metres along x, y and z of its frame."""

    name: str
    score: float
    position: Sequence[float]
    size: Sequence[float]


def detected_objects(array: Detection3DArray, messages: ModuleType) -> object:
    """`array` as DetectedObjects of `messages`, the module autoware_perception_msgs.msg."""
    found = messages.DetectedObjects(header=array.header)
    seen = [_sighting(detection) for detection in array.detections]
    for name, sighting, i in autoware_objects(seen):
        label = getattr(messages.ObjectClassification, name)
        thing = messages.DetectedObject(existence_probability=sighting.score)
        thing.classification = [messages.ObjectClassification(label=label, probability=1.0)]
        kinematics, shape = thing.kinematics, thing.shape
        at = kinematics.pose_with_covariance
        at.covariance = array.detections[i].results[0].pose.covariance
        for axis, metres in zip("xyz", sighting.position, strict=True):
            setattr(at.pose.position, axis, metres)
        for axis, value in AS_BODY.items():
            setattr(at.pose.orientation, axis, value)
        kinematics.has_position_covariance = True
        kinematics.orientation_availability = messages.DetectedObjectKinematics.UNAVAILABLE
        shape.type = messages.Shape.BOUNDING_BOX
        # Along a body that faces along the optical axis: length, width, height.
        shape.dimensions.y, shape.dimensions.z, shape.dimensions.x = sighting.size
        found.objects.append(thing)
    return found


def autoware_objects(seen: Sequence[Sighting]) -> list[tuple[str, Sighting, int]]:
    """Autoware's class, the object, and its place in `seen`, of each object that Autoware knows.

    A rider and what is ridden become one object, which spans both and has the place of the rider.
    """
    riders = [i for i, s in enumerate(seen) if s.name == "rider"]
    ridden: dict[int, int] = {}
    for i, s in enumerate(seen):
        if s.name in ("bicycle", "motorcycle"):
            near = [r for r in riders if r not in ridden and _astride(seen[r], s)]
            if near:
                ridden[min(near, key=lambda r: math.dist(seen[r].position, s.position))] = i
    whole = [_together(s, seen[ridden[i]]) if i in ridden else s for i, s in enumerate(seen)]
    return [
        (CLASSES[s.name], s, i)
        for i, s in enumerate(whole)
        if s.name in CLASSES and i not in ridden.values()
    ]


def _astride(rider: Sighting, vehicle: Sighting) -> bool:
    dx, dy, dz = (a - b for a, b in zip(rider.position, vehicle.position, strict=True))
    return math.hypot(dx, dy) < ASTRIDE_M and abs(dz) < ASTRIDE_DEPTH * abs(rider.position[2])


def _together(rider: Sighting, vehicle: Sighting) -> Sighting:
    """One object whose box spans both across and down, at the distance of the rider."""
    edges = np.array([np.subtract(s.position, np.divide(s.size, 2)) for s in (rider, vehicle)])
    low = edges.min(0)
    high = (edges + [rider.size, vehicle.size]).max(0)
    low[2], high[2] = edges[0, 2], edges[0, 2] + rider.size[2]
    position, size = ((low + high) / 2).tolist(), (high - low).tolist()
    return Sighting(vehicle.name, max(rider.score, vehicle.score), position, size)


def _sighting(detection: Detection3D) -> Sighting:
    best = likeliest(detection)
    centre, size = detection.bbox.center.position, detection.bbox.size
    return Sighting(
        best.class_id, best.score, (centre.x, centre.y, centre.z), (size.x, size.y, size.z)
    )


main = AutowareNode.main
