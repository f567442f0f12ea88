# SPDX-License-Identifier: Apache-2.0
"""The messages that bags are written in: those of ROS 2 Jazzy, and vision_msgs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_VISION = """
std_msgs/Header header
VisionClass[] class_map
float32 threshold
===
MSG: vision_msgs/VisionClass
uint16 class_id
string class_name
===
MSG: vision_msgs/Detection2DArray
std_msgs/Header header
Detection2D[] detections
===
MSG: vision_msgs/Detection2D
std_msgs/Header header
ObjectHypothesisWithPose[] results
BoundingBox2D bbox
string id
===
MSG: vision_msgs/Detection3DArray
std_msgs/Header header
Detection3D[] detections
===
MSG: vision_msgs/Detection3D
std_msgs/Header header
ObjectHypothesisWithPose[] results
BoundingBox3D bbox
string id
===
MSG: vision_msgs/ObjectHypothesisWithPose
ObjectHypothesis hypothesis
geometry_msgs/PoseWithCovariance pose
===
MSG: vision_msgs/ObjectHypothesis
string class_id
float64 score
===
MSG: vision_msgs/BoundingBox2D
vision_msgs/Pose2D center
float64 size_x
float64 size_y
===
MSG: vision_msgs/BoundingBox3D
geometry_msgs/Pose center
geometry_msgs/Vector3 size
===
MSG: vision_msgs/Pose2D
vision_msgs/Point2D position
float64 theta
===
MSG: vision_msgs/Point2D
float64 x
float64 y
"""
"""LabelInfo and the rest of vision_msgs 4 that is used here, which rosbags does not bring."""


def type_store() -> Typestore:
    """A store of its own, so that what one bag brings of types is not another's."""
    store = get_typestore(Stores.ROS2_JAZZY)
    text = _VISION.replace("===", "=" * 80)
    store.register(get_types_from_msg(text, "vision_msgs/msg/LabelInfo"))
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
