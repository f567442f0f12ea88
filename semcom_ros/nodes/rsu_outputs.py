# SPDX-License-Identifier: Apache-2.0
"""What the RSU publishes with: its topics, its camera and its perception."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo

from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Camera, fit_camera
from semcom_ros.nodes import qos
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.percept_messages import label_info_message
from semcom_ros.perception import backends
from semcom_ros.perception.backends import NONE, SHIPPED
from semcom_ros.perception.perceive import Predictions
from semcom_ros.perception.projection import check_camera

TASKS = ("segmentation", "detection", "depth")
WARM_UPS = 3

Perceive = Callable[
    [Sequence[np.ndarray], Sequence[Camera | None], Sequence[np.ndarray | None]], list[Predictions]
]
"""Images, their intrinsics and their labels, where known -> what is seen in each."""


class Intrinsics(NamedTuple):
    """Those of the source images, None until they come, and the same at the size of work."""

    source: Camera | None
    fitted: Camera


class RsuOutputs:
    """The publishers of `node` under `rsu/`, and what the frames to come are seen with.

    intrinsics: replaced as a whole, since other threads read them. perceive: by task, what sees to
    it; tasks of one network share it.
    """

    def __init__(self, node: SemcomNode) -> None:
        self.node = node
        self.image = node.publisher(Image, "rsu/image")
        self.camera_info = node.publisher(CameraInfo, "rsu/camera_info")
        self.segmentation = node.publisher(Image, "rsu/segmentation")
        self.confidence = node.publisher(Image, "rsu/segmentation/confidence")
        self.color = node.publisher(Image, "rsu/segmentation/color")
        self.overlay = node.publisher(Image, "rsu/overlay")
        self.detections = node.publisher(Detection2DArray, "rsu/detections")
        self.detections_3d = node.publisher(Detection3DArray, "rsu/detections_3d")
        self.depth = node.publisher(Image, "rsu/depth")
        self.points = node.publisher(PointCloud2, "rsu/points")
        self._label_info = node.publisher(LabelInfo, "rsu/segmentation/label_info", qos.latched())
        self.intrinsics = Intrinsics(None, Camera(*WORK_SIZE))
        self.perceive: dict[str, Perceive] = {}
        self._chosen: dict[str, str] = {}

    def announce(self) -> None:
        """Say once which class has which number."""
        stamp = self.node.get_clock().now().to_msg()
        self._label_info.publish(label_info_message(Header(stamp=stamp)))

    def load_perception(self, gives_labels: bool) -> None:
        """Get ready to see what the codec does not give. Raises SemcomError."""
        settings = self.node.settings
        chosen = {task: getattr(settings, task) for task in TASKS}
        if gives_labels:
            chosen["segmentation"] = NONE
        if chosen == self._chosen:
            return
        # The shipped network does all its tasks at once; a checkpoint runs when its is asked for.
        perceive = {}
        for backend in set(chosen.values()) - {NONE}:
            tasks = [task for task in TASKS if chosen[task] == backend]
            for together in [tasks] if backend == SHIPPED else [[task] for task in tasks]:
                perceive |= dict.fromkeys(together, self._create(backend, together))
        self.perceive, self._chosen = perceive, chosen

    def _create(self, backend: str, tasks: Sequence[str]) -> Perceive:
        settings = self.node.settings
        return backends.create_perception(
            **{task: backend if task in tasks else NONE for task in TASKS},
            device=settings.device,
            threshold=settings.detection_threshold,
            camera_height_m=settings.camera_height_m,
        )

    def warm_up(self) -> None:
        """Do what the first frame would wait for, in the thread that is going to see."""
        # Any image does, but relative depth wants a road, seen by some camera.
        image, road = np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8)
        for perceive in set(self.perceive.values()):
            try:
                for _ in range(WARM_UPS):
                    perceive([image], [None], [road])
            except SemcomError:
                continue

    def take(self, camera: Camera) -> None:
        """Go on with `camera`, the intrinsics of the source images.

        Raises SemcomError for images that are too small, and goes on with those of before.
        """
        self.intrinsics = Intrinsics(camera, fit_camera(camera))

    def measures(self, source: Camera | None) -> bool:
        """Whether metres can be told with `source`; complains where it or settings bar it."""
        try:
            check_camera(source)
            if "depth" not in self.perceive:
                raise SemcomError(
                    "Somebody listens to depth, points or detections_3d, and no network is there "
                    "for it: set the parameter depth to shipped or to a checkpoint."
                )
        except SemcomError as error:
            self.node.complain(str(error))
            return False
        return True


def listened(*publishers: Publisher) -> bool:
    """Whether anybody listens to one of `publishers`."""
    return any(publisher.get_subscription_count() for publisher in publishers)
