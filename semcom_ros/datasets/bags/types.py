# SPDX-License-Identifier: Apache-2.0
"""The messages that bags are written in: those of ROS 2 Jazzy, and vision_msgs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.interfaces.typing import Typesdict
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_VISION = {
    "LabelInfo": "std_msgs/Header header; VisionClass[] class_map; float32 threshold",
    "VisionClass": "uint16 class_id; string class_name",
    "Detection2DArray": "std_msgs/Header header; Detection2D[] detections",
    "Detection2D": "std_msgs/Header header; ObjectHypothesisWithPose[] results; "
    "BoundingBox2D bbox; string id",
    "Detection3DArray": "std_msgs/Header header; Detection3D[] detections",
    "Detection3D": "std_msgs/Header header; ObjectHypothesisWithPose[] results; "
    "BoundingBox3D bbox; string id",
    "ObjectHypothesisWithPose": "ObjectHypothesis hypothesis; "
    "geometry_msgs/PoseWithCovariance pose",
    "ObjectHypothesis": "string class_id; float64 score",
    "BoundingBox2D": "vision_msgs/Pose2D center; float64 size_x; float64 size_y",
    "BoundingBox3D": "geometry_msgs/Pose center; geometry_msgs/Vector3 size",
    "Pose2D": "vision_msgs/Point2D position; float64 theta",
    "Point2D": "float64 x; float64 y",
}
"""What is used here of vision_msgs 4, which rosbags does not bring."""


def type_store() -> Typestore:
    """A store of its own, so that what one bag brings of types is not another's."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: Typesdict = {}
    for name, fields in _VISION.items():
        types |= get_types_from_msg(fields.replace("; ", "\n"), f"vision_msgs/msg/{name}")
    store.register(types)
    return store


class Package:
    """The messages of one package, as `NAME.msg` of ROS has them: fields by name, the others as a
    new message has them."""

    def __init__(self, name: str, store: Typestore) -> None:
        self._name, self._store = name, store

    def __getattr__(self, kind: str) -> partial[Any]:
        return partial(self._new, f"{self._name}/msg/{kind}")

    def _new(self, type_name: str, **fields: Any) -> Any:
        definition = self._store.fielddefs[type_name][1]
        made = {name: self._empty(kind) for name, kind in definition} | fields
        if type_name == "geometry_msgs/msg/Quaternion" and "w" not in fields:
            made["w"] = 1.0
        return self._store.types[type_name](**made)

    def _empty(self, kind: Any) -> Any:
        node, of = kind
        if node == Nodetype.NAME:
            return self._new(of)
        if node == Nodetype.BASE:
            return {"string": "", "bool": False}.get(of[0], 0)
        return [self._empty(of[0]) for _ in range(of[1] if node == Nodetype.ARRAY else 0)]


def cdr(message: Any, store: Typestore) -> memoryview:
    """`message` serialized; numbers in any kind of sequence will do for its arrays."""
    _settle(message, store)
    return store.serialize_cdr(message, message.__msgtype__)


def _settle(message: Any, store: Typestore) -> None:
    """Turn every array of numbers in `message` into numpy's, as rosbags wants it."""
    for name, (node, of) in store.fielddefs[message.__msgtype__][1]:
        value = getattr(message, name)
        if node == Nodetype.NAME:
            _settle(value, store)
        elif node != Nodetype.BASE and of[0][0] == Nodetype.NAME:
            for one in value:
                _settle(one, store)
        elif node != Nodetype.BASE and of[0][1][0] != "string":
            kind = {"byte": "uint8", "char": "uint8"}.get(of[0][1][0], of[0][1][0])
            setattr(message, name, np.asarray(value, kind))
