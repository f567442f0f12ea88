# SPDX-License-Identifier: Apache-2.0
"""The messages that bags are written in: those of ROS 2 Jazzy, and vision_msgs."""

from __future__ import annotations

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
