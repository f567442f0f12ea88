# SPDX-License-Identifier: Apache-2.0
"""Payloads, diagnostics and what the RSU sees, to messages and back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs import msg as sensor
from sensor_msgs.msg import CompressedImage, PointCloud2, PointField
from std_msgs.msg import Header
from vision_msgs import msg as vision

from semcom_ros.codecs.base import LinkState
from semcom_ros.errors import SemcomError
from semcom_ros.messages import build
from semcom_ros.messages.build import data_of
from semcom_ros.payload.contents import check_text

POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("bgr", "u1", 4), ("label", "<u4")])
"""One point as PCL's PointXYZRGBL has it, without padding; ROS calls `bgr` a float32 `rgb`."""
_FIELDS = dict.fromkeys(("x", "y", "z", "rgb"), PointField.FLOAT32) | {"label": PointField.UINT32}

image_message = partial(build.image_message, sensor)
depth_message = partial(build.depth_message, sensor)
camera_info_message = partial(build.camera_info_message, sensor)
label_info_message = partial(build.label_info_message, vision)
detections_message = partial(build.detections_message, vision)
detections_3d_message = partial(build.detections_3d_message, vision)


def stamp_ns(header: Header) -> int:
    """The stamp of `header` in ns, whatever it holds; rclpy's Time refuses one before 1970."""
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def payload_message(header: Header, format: str, data: bytes) -> CompressedImage:
    """Payload bytes under `header` as it is; `format` never says "compressed" (see README)."""
    message = CompressedImage(header=header, format=format)
    message.data = data_of(data)
    return message


def number_in(namespace: str) -> int | None:
    """The vehicle's number that a namespace ends with, None where it ends with none."""
    ending = re.search(r"(\d{1,9})$", namespace)
    return int(ending[1]) if ending else None


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


def report_values(message: DiagnosticArray) -> dict[str, str]:
    """Keys and values of a message of `rsu/link`."""
    return {pair.key: pair.value for status in message.status for pair in status.values}


def link_state(message: DiagnosticArray) -> tuple[LinkState, str]:
    """The link's state and the task in a message of `rsu/link`; raises SemcomError for others."""
    values = report_values(message)
    try:
        loss, snr_db = (
            float(values[key]) if values.get(key) else None for key in ("loss", "snr_db")
        )
        newest = int(values.get("last_sequence") or 0)
        if not all(map(math.isfinite, (loss or 0.0, snr_db or 0.0))):
            raise ValueError("not finite")
    except ValueError as error:
        raise SemcomError(f"rsu/link holds what is no report of a link: {error}.") from None
    task = values.get("task", "")
    check_text(task, "task")
    return LinkState(snr_db, loss, newest, values.get("refresh") == "true"), task


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
