# SPDX-License-Identifier: Apache-2.0
"""Payloads, diagnostics and what the RSU sees, to messages and back."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
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

from semcom_ros.codecs.base import LinkState
from semcom_ros.errors import SemcomError
from semcom_ros.labels import NAMES
from semcom_ros.perception import projection
from semcom_ros.perception.detection import Detection

POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("bgr", "u1", 4), ("label", "<u4")])
"""One point as PCL's PointXYZRGBL has it, without padding; ROS calls `bgr` a float32 `rgb`."""
_FIELDS = dict.fromkeys(("x", "y", "z", "rgb"), PointField.FLOAT32) | {"label": PointField.UINT32}
HEADING_VARIANCE, LEAN_VARIANCE = math.pi**2 / 3, 0.05**2
"""In rad²: a heading that may be any, and a camera that is not quite level."""


def stamp_ns(header: Header) -> int:
    """The stamp of `header` in ns, whatever it holds; rclpy's Time refuses one before 1970."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def data_of(values: np.ndarray | bytes) -> array[int]:
    """`values` as a message's uint8[] field takes them without a look at every element.

    A numpy array set directly costs 27 ms for 393 kB, this 0.02 ms.
    """
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).data.cast("B") if len(values) else b"")
    return data


def image_message(header: Header, image: np.ndarray) -> Image:
    """uint8 [H, W, 3] RGB -> rgb8, uint8 [H, W] -> mono8, under `header` as it is."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width)
    message.encoding = "mono8" if image.ndim == 2 else "rgb8"
    message.step = image.nbytes // height
    message.data = data_of(image)
    return message


def payload_message(header: Header, format: str, data: bytes) -> CompressedImage:
    """Payload bytes under `header` as it is; `format` never says "compressed" (see README)."""
    message = CompressedImage(header=header, format=format)
    message.data = data_of(data)
    return message


def diagnostics_message(
    header: Header, name: str, level: bytes, text: str, values: Mapping[str, str]
) -> DiagnosticArray:
    """One status; `level` is one of DiagnosticStatus."""
    pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
    status = DiagnosticStatus(
        name=name, level=level, message=text, hardware_id="semcom_ros", values=pairs
    )
    return DiagnosticArray(header=header, status=[status])


def link_values(link: LinkState, task: str) -> dict[str, str]:
    """The link's state as `rsu/link` tells it; what is not known is empty."""
    return {
        "loss": "" if link.loss is None else f"{link.loss:.3f}",
        "snr_db": "" if link.snr_db is None else f"{link.snr_db:.1f}",
        "last_sequence": str(link.last_sequence),
        "refresh": str(link.refresh).lower(),
        "task": task,
    }


def link_state(message: DiagnosticArray) -> tuple[LinkState, str]:
    """The link's state and the task in a message of `rsu/link`; raises SemcomError for others."""
    values = {pair.key: pair.value for status in message.status for pair in status.values}
    try:
        loss, snr_db = (
            float(values[key]) if values.get(key) else None for key in ("loss", "snr_db")
        )
        newest = int(values.get("last_sequence") or 0)
        if not all(map(math.isfinite, (loss or 0.0, snr_db or 0.0))):
            raise ValueError("not finite")
    except ValueError as error:
        raise SemcomError(f"rsu/link holds what is no report of a link: {error}.") from None
    state = LinkState(snr_db, loss, newest, values.get("refresh") == "true")
    return state, values.get("task", "")


def label_info_message(header: Header) -> LabelInfo:
    """The names of the classes that every published label map is written in."""
    classes = [VisionClass(class_id=i, class_name=name) for i, name in enumerate(NAMES)]
    return LabelInfo(header=header, class_map=classes, threshold=0.0)


def detections_message(header: Header, detections: Iterable[Detection]) -> Detection2DArray:
    """The class of each by name; boxes in pixels of the published image."""
    message = Detection2DArray(header=header)
    for found in detections:
        detection = Detection2D(header=header, results=[_hypothesis(found.name, found.score)])
        box, centre = detection.bbox, detection.bbox.center.position
        box.size_x, box.size_y = float(found.width), float(found.height)
        centre.x, centre.y = found.left + found.width / 2, found.top + found.height / 2
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
