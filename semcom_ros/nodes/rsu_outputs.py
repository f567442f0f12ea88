# SPDX-License-Identifier: Apache-2.0
"""The topics of one vehicle at the RSU: who listens to what, and percepts to messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo
from visualization_msgs.msg import MarkerArray

from semcom_ros.drawing import draw_boxes
from semcom_ros.frame import WORK_SIZE, Camera
from semcom_ros.labels import VOID, colorize, tint
from semcom_ros.nodes.markers import markers_message
from semcom_ros.nodes.messages import (
    camera_info_message,
    depth_message,
    detections_3d_message,
    detections_message,
    image_message,
    label_info_message,
    points_message,
)
from semcom_ros.nodes.topics import latched
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.rsu import Wanted


class Publishers(Protocol):
    """Makes publishers on topics of one vehicle."""

    def publisher(self, kind: type, topic: str, profile: QoSProfile | None = None) -> Publisher:
        """One that is silent unless the node is active."""


class Output(NamedTuple):
    """A topic's type, the fields of `Percepts` that it cannot do without, how it is made, and the
    fields that it shows where they are known."""

    kind: type
    fields: tuple[str, ...]
    draw: Callable[[Header, Percepts], Any]
    beside: tuple[str, ...] = ()

    def ready(self, seen: Percepts, last: bool) -> bool:
        """Whether it can be made of what is known; unless that is the `last`, it waits for all."""
        wanted = self.fields if last else self.fields + self.beside
        return all(getattr(seen, field) is not None for field in wanted)


def _points(header: Header, seen: Percepts) -> PointCloud2:
    labels = np.full(WORK_SIZE, VOID) if seen.labels is None else seen.labels
    return points_message(header, seen.points, seen.image, labels)


def _overlay(header: Header, seen: Percepts) -> Image:
    boxes = [(found.name, found.box) for found in seen.detections or ()]
    return image_message(header, draw_boxes(tint(seen.image, seen.labels), boxes))


OUTPUTS: dict[str, Output] = {
    "rsu/segmentation": Output(Image, ("labels",), lambda h, p: image_message(h, p.labels)),
    "rsu/segmentation/confidence": Output(
        Image, ("labels",), lambda h, p: image_message(h, p.confidence)
    ),
    "rsu/segmentation/color": Output(
        Image, ("labels",), lambda h, p: image_message(h, colorize(p.labels))
    ),
    "rsu/detections": Output(
        Detection2DArray, ("detections",), lambda h, p: detections_message(h, p.detections)
    ),
    "rsu/detections_3d": Output(
        Detection3DArray,
        ("detections_3d",),
        lambda h, p: detections_3d_message(h, p.detections_3d),
    ),
    "rsu/markers": Output(
        MarkerArray, ("detections_3d",), lambda h, p: markers_message(h, p.detections_3d)
    ),
    "rsu/image": Output(Image, ("image",), lambda h, p: image_message(h, p.image)),
    "rsu/depth": Output(Image, ("depth",), lambda h, p: depth_message(h, p.depth)),
    "rsu/points": Output(PointCloud2, ("points",), _points),
    "rsu/overlay": Output(Image, ("labels", "image"), _overlay, ("detections",)),
}
"""By topic, in the order in which a frame's are published: first those whom planners wait for."""


class RsuOutputs:
    """The publishers of one vehicle under `rsu/`.

    vehicle: makes them. failed: hears of what cannot be published.
    """

    def __init__(self, vehicle: Publishers, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._publishers = {
            topic: vehicle.publisher(output.kind, topic) for topic, output in OUTPUTS.items()
        }
        self._camera_info = vehicle.publisher(CameraInfo, "rsu/camera_info")
        self._label_info = vehicle.publisher(LabelInfo, "rsu/segmentation/label_info", latched())

    def announce(self, header: Header) -> None:
        """Say once which class has which number."""
        self._label_info.publish(label_info_message(header))

    def wanted(self) -> Wanted:
        """The fields of `Percepts` that somebody listens to."""
        heard = [OUTPUTS[topic] for topic, p in self._publishers.items() if _listened(p)]
        return frozenset(field for output in heard for field in output.fields + output.beside)

    def publish_camera(self, header: Header, camera: Camera) -> None:
        """The intrinsics of a frame's image, before all else of it."""
        if _listened(self._camera_info):
            self._camera_info.publish(camera_info_message(header, camera))

    def publish(self, header: Header, seen: Percepts, before: Percepts | None, last: bool) -> None:
        """What is known of a frame and was not `before`, to those who listen.

        last: no more will be known of it. One that fails is told; the others go on.
        """
        for topic, output in OUTPUTS.items():
            publisher, told = self._publishers[topic], before and output.ready(before, False)
            if output.ready(seen, last) and not told and _listened(publisher):
                try:
                    publisher.publish(output.draw(header, seen))
                except Exception as error:
                    self._failed(error)


def _listened(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0
