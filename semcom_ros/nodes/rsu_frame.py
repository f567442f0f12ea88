# SPDX-License-Identifier: Apache-2.0
"""One frame at the RSU: each topic once, as soon as it is known, if anyone listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from rclpy.publisher import Publisher
from std_msgs.msg import Header

from semcom_ros.errors import SemcomError
from semcom_ros.labels import VOID, colorize, tint
from semcom_ros.nodes.messages import camera_info_message, image_message
from semcom_ros.nodes.percept_messages import (
    depth_message,
    detections_3d_message,
    detections_message,
    points_message,
)
from semcom_ros.nodes.rsu_outputs import Perceive, RsuOutputs, listened
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.fusion import fuse, objects_in, supported_labels
from semcom_ros.perception.perceive import Predictions
from semcom_ros.perception.projection import project_detections, project_points
from semcom_ros.reconstruction import Reconstruction

INFERRED = 64
"""Confidence of labels that the RSU reads off a received image: none of them was received."""
_FIELD = {"segmentation": "segmentation", "detection": "detections", "depth": "depth"}
"""Where a task's result stands in `Predictions`."""


class FrameOutputs:
    """Publishes one frame under `header`: its map at once, the rest when its image is there.

    Those come first whom planners wait for: labels and confidence, detections, the image, then
    depth, points and overlay. The camera is that of the frame's beginning throughout.
    """

    def __init__(self, outputs: RsuOutputs, header: Header) -> None:
        self._to = outputs
        self._header = header
        self._source_camera, self._camera = outputs.intrinsics
        self._begun = self._map_received = self._detected = False
        self._image: np.ndarray | None = None
        self._map: Reconstruction | None = None
        self._seen: dict[Perceive, Predictions | None] = {}

    @property
    def unfinished(self) -> bool:
        """Whether somebody waits for what takes an image, or a look at it."""
        to = self._to
        image = self._image is None and listened(to.image, to.overlay)
        labels = self._map is None and self._map_wanted and "segmentation" in to.perceive
        objects = "detection" in to.perceive and listened(to.detections)
        return image or labels or objects or self._measured

    def publish(self, known: Reconstruction) -> None:
        """Take what is `known`; publish intrinsics and the map as soon as they are."""
        if not self._begun:
            self._begun = True
            self._offer(self._to.camera_info, camera_info_message, lambda: self._camera)
        if known.labels is not None and self._map is None:
            self._map_received = True
            self._publish_map(known)
            if "detection" not in self._to.perceive:
                self._publish_detections()
        if known.image is not None:
            self._image = known.image

    def finish(self) -> None:
        """Publish the rest: the image, and what is seen in it; without one, the map's objects."""
        to, image = self._to, self._image
        if self._map is None and self._map_wanted:
            self._infer_map()
        self._publish_detections()
        if image is None:
            return
        if self._measured and listened(to.detections_3d):
            self._publish_detections_3d()
        self._offer(to.image, image_message, lambda: image)
        if self._measured and listened(to.depth, to.points):
            self._publish_depth()
        if self._map is not None:
            self._offer(to.overlay, image_message, lambda: tint(image, self._map.labels))

    @property
    def _map_wanted(self) -> bool:
        """Whether anybody wants labels, be it for what is made from them."""
        to = self._to
        alone = () if "detection" in to.perceive else (to.detections,)
        pictures = (to.segmentation, to.confidence, to.color, to.overlay)
        metric = self._measured and listened(to.points, to.detections_3d)
        return metric or listened(*pictures, *alone)

    @cached_property
    def _measured(self) -> bool:
        """Whether somebody wants metres, and they can be told."""
        to = self._to
        return listened(to.depth, to.points, to.detections_3d) and to.measures(self._source_camera)

    @cached_property
    def _objects(self) -> list[Detection] | None:
        """What is published as observed; None where nothing could look for it, or that failed."""
        min_area = self._to.node.settings.min_area
        found = self._look("detection")
        with self._complaining():
            if self._map is not None and found is None:
                return objects_in(self._map, min_area)
            # An image that was received is evidence itself; one made from a map is none beside it.
            return fuse(found, self._map, min_area) if self._map_received else found
        return None

    def _look(self, task: str) -> Any:
        """What `task` says of the image; None if nothing sees to it or, complained of, it fails."""
        perceive = self._to.perceive.get(task)
        if perceive is None or self._image is None:
            return None
        if perceive not in self._seen:
            self._seen[perceive] = None
            # A depth without scale finds it by the road.
            road = task == "depth" and self._map is None
            labels = self._look("segmentation") if road else self._map and self._map.labels
            with self._complaining():
                [seen] = perceive([self._image], [self._camera], [labels])
                self._seen[perceive] = seen
                if seen.problem:
                    raise SemcomError(seen.problem)
        return self._seen[perceive] and getattr(self._seen[perceive], _FIELD[task])

    def _infer_map(self) -> None:
        labels = self._look("segmentation")
        if labels is not None:
            self._publish_map(Reconstruction(labels=labels))

    def _publish_map(self, known: Reconstruction) -> None:
        if known.confidence is None:
            known = replace(known, confidence=np.full(known.labels.shape, INFERRED, np.uint8))
        self._map = known
        self._offer(self._to.segmentation, image_message, lambda: known.labels)
        self._offer(self._to.confidence, image_message, lambda: known.confidence)
        self._offer(self._to.color, image_message, lambda: colorize(known.labels))

    def _publish_detections(self) -> None:
        if not self._detected and listened(self._to.detections) and self._objects is not None:
            self._detected = True
            with self._complaining():
                self._offer(self._to.detections, detections_message, lambda: self._objects)

    def _publish_detections_3d(self) -> None:
        depth = self._look("depth")
        if depth is None or self._objects is None:
            return
        labels = None if self._map is None else supported_labels(self._map)
        with self._complaining():
            placed = project_detections(self._objects, depth, self._camera, labels)
            for _ in range(len(self._objects) - len(placed)):
                self._to.node.statistics.count("unplaced")
            self._offer(self._to.detections_3d, detections_3d_message, lambda: placed)

    def _publish_depth(self) -> None:
        depth, image = self._look("depth"), self._image
        if depth is None:
            return
        self._offer(self._to.depth, depth_message, lambda: depth)
        if listened(self._to.points):
            labels = np.full(depth.shape, VOID) if self._map is None else self._map.labels
            with self._complaining():
                xyz = project_points(depth, self._camera)
                cloud = (xyz, image, labels)
                self._offer(self._to.points, lambda h, c: points_message(h, *c), lambda: cloud)

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        """Leave out what fails, with a word and a count: the other topics go on."""
        try:
            yield
        except Exception as error:
            self._to.node.fail_frame(error, "unseen")

    def _offer(
        self, publisher: Publisher, fill: Callable[[Header, Any], Any], make: Callable[[], Any]
    ) -> None:
        if listened(publisher):
            publisher.publish(fill(self._header, make()))
