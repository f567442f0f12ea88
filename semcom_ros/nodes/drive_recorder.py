# SPDX-License-Identifier: Apache-2.0
"""A node beside the graph that starts the others through their lifecycle and records a drive.

What it hears goes into a bag as it came, serialized, so that it takes little from the nodes that it
watches. A message's time in the bag is its arrival at the recorder, by a clock that starts at the
host's time and then goes on steadily. When it was captured is in its header, and, where a bag or a
simulation tells the time, the recorded /clock says when that was.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.serialization import deserialize_message
from rclpy.task import Future

from semcom_ros.datasets.bags import BagWriter, Qos
from semcom_ros.graph import (
    BOXES,
    CAMERA,
    CAMERA_INFO,
    IMAGES,
    LABELS,
    PAYLOADS,
    RECEIVED,
    SENT_LABELS,
    NodeProcess,
)
from semcom_ros.nodes.bystander import Bystander, ros_context
from semcom_ros.nodes.topics import latched, message_type, reliable

DIAGNOSTICS = "/diagnostics"
_IMAGE, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_INFO, _DIAGNOSTICS = "sensor_msgs/msg/CameraInfo", "diagnostic_msgs/msg/DiagnosticArray"
TOPICS = {
    "/clock": "rosgraph_msgs/msg/Clock",
    "/tf_static": "tf2_msgs/msg/TFMessage",
    DIAGNOSTICS: _DIAGNOSTICS,
    CAMERA_INFO: _INFO,
    CAMERA: _IMAGE,
    PAYLOADS: _COMPRESSED,
    RECEIVED: _COMPRESSED,
    SENT_LABELS: _IMAGE,
    LABELS: _IMAGE,
    f"{LABELS}/confidence": _IMAGE,
    f"{LABELS}/label_info": "vision_msgs/msg/LabelInfo",
    IMAGES: _IMAGE,
    BOXES: "vision_msgs/msg/Detection2DArray",
    "rsu/camera_info": _INFO,
    "rsu/link": _DIAGNOSTICS,
}
"""What is recorded, and its type. What the RSU would compute for the recorder alone is left out."""
DASHBOARD = "dashboard_node"
LATCHED = (f"{LABELS}/label_info", "/tf_static")
STEADY = ("/clock", DIAGNOSTICS, "rsu/link", *LATCHED)
"""What is said whether or not a drive goes on."""
_DEPTH = 10
"""Messages that may wait for the recorder on each topic."""


class DriveRecorder(Bystander):
    """Records the topics of one vehicle's graph; made by `recording`.

    namespace: of the graph. bag: takes the messages. sends_labels: whether there are label maps to
    listen to; where the codec sends none, listening to the vehicle's would make it work for the
    recorder alone.
    """

    def __init__(self, namespace: str, bag: BagWriter, sends_labels: bool) -> None:
        super().__init__("drive_recorder", namespace)
        self._bag, self._in_bag = bag, dict[str, Any]()
        self._started_ns = time.time_ns() - time.monotonic_ns()
        self._counts: Counter[str] = Counter()
        self.told: dict[str, dict[str, str]] = {}
        """What nodes told last in their diagnostics, by the node's name without namespace."""
        self.newest_arrival = 0.0
        """Monotonic time in seconds when a message of the drive last arrived."""
        for topic, name in TOPICS.items():
            kind = message_type(name)  # the wheels of ROS lack some
            if kind and (sends_labels or topic != SENT_LABELS):
                # A message that the recorder alone missed would look like one that the graph lost.
                qos = latched() if topic in LATCHED else reliable(_DEPTH)
                store = partial(self._store, topic)
                self.create_subscription(kind, topic, store, qos, raw=True)

    def count(self, topic: str) -> int:
        """Messages recorded so far on one of `TOPICS`."""
        return self._counts[topic]

    def chained(self) -> bool:
        """Whether every node listens to the one before it, which each does once it is active."""
        # The recorder itself is one of those who listen.
        topics = (CAMERA, PAYLOADS, RECEIVED)
        return all(len(self._listeners(topic) - {DASHBOARD}) > 1 for topic in topics)

    def watched(self) -> bool:
        """Whether a page of the dashboard shows the vehicle."""
        return DASHBOARD in self._listeners(PAYLOADS)

    def _listeners(self, topic: str) -> set[str]:
        return {one.node_name for one in self.get_subscriptions_info_by_topic(topic)}

    def reachable(self, process: NodeProcess) -> bool:
        """Whether the node's lifecycle can be asked for a transition."""
        return self.lifecycle(_named(process)).service_is_ready()

    def change_state(self, process: NodeProcess, transition: str) -> Future:
        """Ask a reachable node to "configure" or "activate"; the result says `success`."""
        return self.ask_to(_named(process), transition)

    def _store(self, topic: str, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        if topic not in self._in_bag:  # what says nothing is no topic of the bag
            qos, name = Qos(latched=topic in LATCHED), self.resolve_topic_name(topic)
            self._in_bag[topic] = self._bag.topic(name, TOPICS[topic], qos)
        self._bag.write(self._in_bag[topic], self._started_ns + now_ns, data)
        self._counts[topic] += 1
        if topic not in STEADY:
            self.newest_arrival = now_ns / 1e9
        elif topic == DIAGNOSTICS:
            for one in deserialize_message(data, DiagnosticArray).status:
                self.told[one.name.rpartition("/")[2]] = {p.key: p.value for p in one.values}


@contextmanager
def recording(namespace: str, bag: Path, sends_labels: bool) -> Iterator[DriveRecorder]:
    """A `DriveRecorder` in a ROS context of its own, which ends with the `with` block.

    What it heard is then in the file `bag`, an MCAP, however the block ended.
    """
    folder = bag.with_name(f".{bag.stem}")
    shutil.rmtree(folder, ignore_errors=True)  # of a drive that was killed
    writer = BagWriter(folder)
    try:
        with ros_context():
            recorder = DriveRecorder(namespace, writer, sends_labels)
            yield recorder
            recorder.destroy_node()
    finally:
        try:
            writer.close()
            folder.joinpath(f"{folder.name}.mcap").replace(bag)
        finally:
            shutil.rmtree(folder)


def _named(process: NodeProcess) -> str:
    return f"{process.namespace}/{process.name}"
