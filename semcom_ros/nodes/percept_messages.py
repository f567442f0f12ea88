# SPDX-License-Identifier: Apache-2.0
"""What the RSU sees to messages: classes, detections in 2D and 3D, depth, points."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    Detection3D,
    Detection3DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)

from semcom_ros.labels import NAMES
from semcom_ros.nodes.messages import data_of
from semcom_ros.perception import projection
from semcom_ros.perception.detection import Detection

POINT = np.dtype(
    {
        "names": ["x", "y", "z", "bgr", "label"],
        "formats": ["<f4", "<f4", "<f4", ("u1", 4), "<u4"],
    }
)
"""One point as PCL's PointXYZRGBL has it, without padding; ROS calls `bgr` a float32 `rgb`."""
_FIELDS = {
    "x": PointField.FLOAT32,
    "y": PointField.FLOAT32,
    "z": PointField.FLOAT32,
    "rgb": PointField.FLOAT32,
    "label": PointField.UINT32,
}
HEADING_VARIANCE, LEAN_VARIANCE = math.pi**2 / 3, 0.05**2
"""In rad²: a heading that may be any, and a camera that is not quite level."""


def label_info_message(header: Header) -> LabelInfo:
    """The names of the classes that every published label map is written in."""
    classes = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(NAMES)]
    return LabelInfo(header=header, class_map=classes, threshold=0.0)


def detections_message(header: Header, detections: Iterable[Detection]) -> Detection2DArray:
    """The class of each by name; boxes in pixels of the published image."""
    message = Detection2DArray(header=header)
    for found in detections:
        detection = Detection2D(header=header, results=[_hypothesis(found.name, found.score)])
        detection.bbox.center.position.x = found.left + found.width / 2
        detection.bbox.center.position.y = found.top + found.height / 2
        detection.bbox.size_x = float(found.width)
        detection.bbox.size_y = float(found.height)
        message.detections.append(detection)
    return message


def detections_3d_message(
    header: Header, detections: Iterable[projection.Detection3D]
) -> Detection3DArray:
    """Boxes along the axes of the optical frame, in metres; covariance in the hypothesis's pose."""
    message = Detection3DArray(header=header)
    for found in detections:
        hypothesis = _hypothesis(found.name, found.score)
        detection = Detection3D(header=header, results=[hypothesis])
        position = dict(zip("xyz", found.position, strict=True))
        for pose in (hypothesis.pose.pose, detection.bbox.center):
            for axis, metres in position.items():
                setattr(pose.position, axis, metres)
        size = detection.bbox.size
        size.x, size.y, size.z = found.size
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = found.covariance
        # A turn about y, which points down, is the heading.
        covariance[3:, 3:] = np.diag([LEAN_VARIANCE, HEADING_VARIANCE, LEAN_VARIANCE])
        hypothesis.pose.covariance = covariance.ravel()
        message.detections.append(detection)
    return message


def depth_message(header: Header, depth: np.ndarray) -> Image:
    """Depth [H, W] in metres -> 32FC1, NaN unknown (REP 117, 118)."""
    height, width = depth.shape
    message = Image(header=header, height=height, width=width, encoding="32FC1", step=4 * width)
    message.data = data_of(depth.astype("<f4"))
    return message


def points_message(
    header: Header, xyz: np.ndarray, image: np.ndarray, labels: np.ndarray
) -> PointCloud2:
    """An organised cloud, a point a pixel in the order of the image; NaN where depth is unknown.

    xyz: float32 [H, W, 3] metres. image: uint8 [H, W, 3] RGB. labels: uint8 [H, W] trainId.
    """
    height, width = labels.shape
    points = np.zeros((height, width), POINT)
    for i, axis in enumerate("xyz"):
        points[axis] = xyz[..., i]
    points["bgr"][..., :3] = image[..., ::-1]
    points["label"] = labels
    fields = [
        PointField(name=name, offset=4 * i, datatype=kind, count=1)
        for i, (name, kind) in enumerate(_FIELDS.items())
    ]
    message = PointCloud2(header=header, height=height, width=width, fields=fields)
    message.point_step, message.row_step = POINT.itemsize, width * POINT.itemsize
    message.is_bigendian = message.is_dense = False
    message.data = data_of(points)
    return message


def _hypothesis(name: str, score: float) -> ObjectHypothesisWithPose:
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = name
    hypothesis.hypothesis.score = float(score)
    return hypothesis
