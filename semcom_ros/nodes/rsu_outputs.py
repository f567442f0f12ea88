# SPDX-License-Identifier: Apache-2.0
"""The topics of one vehicle at the RSU: who listens to what, and percepts to messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from geometry_msgs import msg as geometry
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo
from visualization_msgs.msg import MarkerArray

from semcom_ros.drawing import draw_boxes
from semcom_ros.frame import WORK_SIZE, Camera, Mounting
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
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.topics import latched, message_type
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.rsu import Wanted

TFMessage = message_type("tf2_msgs/msg/TFMessage")
"""None where the wheels of ROS lack it, until set-up has built the stand-in."""


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
    """The publishers of `node` under `rsu/`."""

    def __init__(self, node: SemcomNode) -> None:
        self._node = node
        self._publishers = {
            topic: node.publisher(output.kind, topic) for topic, output in OUTPUTS.items()
        }
        self._camera_info = node.publisher(CameraInfo, "rsu/camera_info")
        self._label_info = node.publisher(LabelInfo, "rsu/segmentation/label_info", latched())
        self._transforms = TFMessage and node.publisher(TFMessage, "/tf_static", latched())
        self._mountings: dict[str, Mounting] = {}

    def announce(self) -> None:
        """Say once which class has which number."""
        stamp = self._node.get_clock().now().to_msg()
        self._label_info.publish(label_info_message(Header(stamp=stamp)))

    def wanted(self) -> Wanted:
        """The fields of `Percepts` that somebody listens to."""
        heard = [OUTPUTS[topic] for topic, p in self._publishers.items() if _listened(p)]
        return frozenset(field for output in heard for field in output.fields + output.beside)

    def publish_camera(self, header: Header, camera: Camera) -> None:
        """The intrinsics of a frame's image, before all else of it."""
        if _listened(self._camera_info):
            self._camera_info.publish(camera_info_message(header, camera))

    def place_camera(self, header: Header, mounting: Mounting | None) -> None:
        """Where the camera of a frame is on its vehicle: said once, and when it is elsewhere."""
        base, frame = self._node.settings.base_frame, header.frame_id
        if mounting is None or not self._transforms or self._mountings.get(frame) == mounting:
            return
        # scipy takes a moment, and most mountings are not known.
        from semcom_ros.messages.placing import camera_transform

        self._mountings[frame] = mounting
        vehicle = Header(stamp=header.stamp, frame_id=base)
        placed = [
            camera_transform(geometry, vehicle, name, at) for name, at in self._mountings.items()
        ]
        self._transforms.publish(TFMessage(transforms=placed))

    def publish(self, header: Header, seen: Percepts, before: Percepts | None, last: bool) -> None:
        """What is known of a frame and was not `before`, to those who listen.

        last: no more will be known of it. One that fails is complained of and counted as unseen;
        the others go on.
        """
        for topic, output in OUTPUTS.items():
            publisher, told = self._publishers[topic], before and output.ready(before, False)
            if output.ready(seen, last) and not told and _listened(publisher):
                try:
                    publisher.publish(output.draw(header, seen))
                except Exception as error:
                    self._node.fail_frame(error, "unseen")


def _listened(publisher: Publisher) -> bool:
    return publisher.get_subscription_count() > 0
