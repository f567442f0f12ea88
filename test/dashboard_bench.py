# SPDX-License-Identifier: Apache-2.0
"""A dashboard with a small drive to show: a feeder in the vehicle's and the RSU's place, and a real
radio between them, all in one process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rclpy
from channel_bench import SENT, message
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_bench import PATIENCE_S, camera_image, isolated_domain
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from semcom_ros.nodes.channel_node import ChannelNode
from semcom_ros.nodes.dashboard_node import DashboardNode
from semcom_ros.nodes.messages import detections_message, image_message
from semcom_ros.perception.detection import Detection

TOKEN = "sesame & more"


class Feeder(Node):
    """Says at 20 Hz what a vehicle and its RSU would, but on topics that are `silenced`; its name
    is that of who hears the camera."""

    def __init__(self) -> None:
        super().__init__("vehicle_node", namespace="/vehicle_1")
        topics = {
            "camera/image_raw": Image, "camera/camera_info": CameraInfo, SENT: CompressedImage,
            "rsu/segmentation": Image, "rsu/segmentation/confidence": Image, "rsu/image": Image,
            "rsu/detections": Detection2DArray,
        }  # fmt: skip
        self._ways = {name: self.create_publisher(kind, name, 5) for name, kind in topics.items()}
        self.create_subscription(Image, "camera/image_raw", lambda _: None, 5)
        self.create_subscription(CameraInfo, "camera/camera_info", lambda _: None, 5)
        self.silenced: set[str] = set()
        self._numbers = itertools.count(1)
        self.create_timer(0.05, self._speak, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _speak(self) -> None:
        number = next(self._numbers)
        picture = camera_image(number, 300, 480)
        header = picture.header
        light = np.full((256, 512, 3), number % 250, np.uint8)
        labels = np.full((256, 512), number % 19, np.uint8)
        confidence = np.full((256, 512), 255, np.uint8)
        confidence[:64], confidence[64:128] = 0, 64
        payload = message(number)
        payload.header = header
        for topic, said in {
            "camera/camera_info": CameraInfo(header=header),
            "camera/image_raw": picture,
            SENT: payload,
            "rsu/segmentation": image_message(header, labels),
            "rsu/segmentation/confidence": image_message(header, confidence),
            "rsu/image": image_message(header, light),
            "rsu/detections": detections_message(
                header, [Detection("car", 0.8, 100.0, 50.0, 60.0, 40.0)]
            ),
        }.items():
            if topic not in self.silenced:
                self._ways[topic].publish(said)


class Graph:
    """The nodes, spun by a thread of their own."""

    def __init__(self) -> None:
        self._executor = SingleThreadedExecutor()
        self.dashboard, self.channel = DashboardNode(), ChannelNode()
        for node in (self.dashboard, self.channel):
            self._executor.add_node(node)
        self.feeder: Feeder | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._spin)

    def up(self, **settings: object) -> None:
        """Activate all, the dashboard on a free port, and let them run."""
        values = {"dashboard_port": 0, "pictures_hz": 20.0, **settings}
        self.dashboard.set_parameters([Parameter(n, value=v) for n, v in values.items()])
        self.feed()
        for node in (self.channel, self.dashboard):
            node.trigger_configure()
            node.trigger_activate()
        self._thread.start()

    def down(self) -> None:
        """End all."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join(PATIENCE_S)
        self.starve()
        for node in (self.dashboard, self.channel):
            node.close()
            node.destroy_node()
        self._executor.shutdown()

    def feed(self) -> None:
        """Let there be a vehicle."""
        self.feeder = Feeder()
        self._executor.add_node(self.feeder)

    def starve(self) -> None:
        """Let there be none."""
        if self.feeder is not None:
            self._executor.remove_node(self.feeder)
            self.feeder.destroy_node()
            self.feeder = None

    def in_executor(self, job: Callable[[], Any]) -> Any:
        """What `job()` gives, run between two callbacks."""
        done = threading.Event()
        task = self._executor.create_task(job)
        task.add_done_callback(lambda _: done.set())
        assert done.wait(PATIENCE_S)
        return task.result()

    def _spin(self) -> None:
        while not self._stopping.is_set():
            self._executor.spin_once(timeout_sec=0.1)


@contextmanager
def dashboard(**settings: object) -> Iterator[Graph]:
    """A running graph in a domain of its own."""
    with isolated_domain():
        args = ["--ros-args", "-r", "channel_node:__ns:=/vehicle_1", "--disable-external-lib-logs"]
        rclpy.init(args=args)
        graph = Graph()
        try:
            graph.up(**settings)
            yield graph
        finally:
            graph.down()
            rclpy.try_shutdown()
