# SPDX-License-Identifier: Apache-2.0
"""What the RSU publishes of a frame: each topic once, as soon as it is known, if anyone listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo

from semcom_ros.frame import WORK_SIZE, Camera
from semcom_ros.labels import VOID, colorize, tint
from semcom_ros.nodes import qos
from semcom_ros.nodes.messages import (
    camera_info_message,
    detections_message,
    image_message,
    label_info_message,
)
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.perception.components import find_components
from semcom_ros.reconstruction import Reconstruction

INFERRED = 64
"""Confidence of labels that the RSU reads off a regenerated image: none of them was received."""


class RsuOutputs:
    """The publishers of `node` under `rsu/`. camera: intrinsics of the size of work."""

    def __init__(self, node: SemcomNode) -> None:
        self.node = node
        self.camera = Camera(*WORK_SIZE)
        self.image = node.publisher(Image, "rsu/image")
        self.camera_info = node.publisher(CameraInfo, "rsu/camera_info")
        self.segmentation = node.publisher(Image, "rsu/segmentation")
        self.confidence = node.publisher(Image, "rsu/segmentation/confidence")
        self.color = node.publisher(Image, "rsu/segmentation/color")
        self.overlay = node.publisher(Image, "rsu/overlay")
        self.detections = node.publisher(Detection2DArray, "rsu/detections")
        self._label_info = node.publisher(LabelInfo, "rsu/segmentation/label_info", qos.latched())
        self._segmenter = None

    def announce(self) -> None:
        """Say once which class has which number."""
        stamp = self.node.get_clock().now().to_msg()
        self._label_info.publish(label_info_message(Header(stamp=stamp)))

    def load_segmenter(self) -> None:
        """Get ready to label images, for codecs that send no labels. Raises SemcomError."""
        # torch takes a second to import, and a codec that sends labels may not need it here.
        from semcom_ros.perception.segmentation import Segmenter

        self._segmenter = Segmenter(device=self.node.settings.device)

    def warm_up(self) -> None:
        """Do what the first frame would wait for, in the thread that is going to publish."""
        if self._segmenter is not None:
            self._segmenter.warm_up()

    def segment(self, image: np.ndarray) -> np.ndarray:
        """Labels of an image, once `load_segmenter` was called."""
        return self._segmenter(image)


class FrameOutputs:
    """Publishes one frame under `header` while its reconstructions come in."""

    def __init__(self, outputs: RsuOutputs, header: Header) -> None:
        self._to = outputs
        self._header = header
        self._image: np.ndarray | None = None
        self._labels: np.ndarray | None = None

    @property
    def unfinished(self) -> bool:
        """Whether somebody waits for what has not come yet."""
        image = self._image is None and _listened(self._to.image, self._to.overlay)
        return image or (self._labels is None and self._maps_wanted)

    def publish(self, known: Reconstruction) -> None:
        """Publish what `known` holds that was not known before, after the frame's intrinsics."""
        if self._labels is None and self._image is None:
            self._offer(
                self._to.camera_info, lambda: camera_info_message(self._header, self._to.camera)
            )
        if known.labels is not None and self._labels is None:
            self._publish_maps(known)
        if known.image is not None and self._image is None:
            self._image = known.image
            self._offer(self._to.image, lambda: image_message(self._header, known.image))

    def finish(self) -> None:
        """Publish what takes all that came: labels read off the image, and the overlay."""
        if self._labels is None and self._image is not None and self._maps_wanted:
            self._publish_maps(Reconstruction(labels=self._to.segment(self._image)))
        if self._labels is not None and self._image is not None:
            self._offer(
                self._to.overlay,
                lambda: image_message(self._header, tint(self._image, self._labels)),
            )

    @property
    def _maps_wanted(self) -> bool:
        to = self._to
        return _listened(to.segmentation, to.confidence, to.color, to.detections, to.overlay)

    def _publish_maps(self, known: Reconstruction) -> None:
        self._labels = labels = known.labels
        confidence = known.confidence
        if confidence is None:
            confidence = np.full(labels.shape, INFERRED, np.uint8)
        self._offer(self._to.segmentation, lambda: image_message(self._header, labels))
        self._offer(self._to.confidence, lambda: image_message(self._header, confidence))
        self._offer(
            self._to.detections, lambda: self._detections_message(confidence, known.support)
        )
        self._offer(self._to.color, lambda: image_message(self._header, colorize(labels)))

    def _detections_message(
        self, confidence: np.ndarray, support: np.ndarray | None
    ) -> Detection2DArray:
        # An object that rests on nothing received would be invented: planners must not see it.
        labels = self._labels if support is None else np.where(support, self._labels, VOID)
        found = find_components(labels, confidence, self._to.node.settings.min_area)
        return detections_message(self._header, found)

    @staticmethod
    def _offer(publisher: Publisher, make: Callable[[], Any]) -> None:
        if _listened(publisher):
            publisher.publish(make())


def _listened(*publishers: Publisher) -> bool:
    return any(publisher.get_subscription_count() for publisher in publishers)
