# SPDX-License-Identifier: Apache-2.0
"""A node beside the graph that starts the others through their lifecycle and records a drive.

During the drive it only appends serialised messages to a file, so that it takes little from the
nodes it watches; `record` makes sense of them afterwards.
"""

from __future__ import annotations

import os
import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from vision_msgs.msg import Detection2DArray

from semcom_ros.graph import NodeProcess
from semcom_ros.messages.camera import image_array
from semcom_ros.nodes.record import Box, DriveRecord
from semcom_ros.nodes.topics import reliable

CAPTURED = "camera/camera_info"
PAYLOADS = "camera/image_raw/semcom"
SENT_LABELS = "vehicle/segmentation"
LABELS = "rsu/segmentation"
IMAGES = "rsu/image"
BOXES = "rsu/detections"
DIAGNOSTICS = "/diagnostics"
_DEPTH = 10
"""Messages that may wait for the recorder on each topic."""


class SpoolEntry(NamedTuple):
    """One message in the spool file: its capture stamp and its arrival, both in ns."""

    stamp: int
    arrival: int
    offset: int
    size: int


class Spooled(Mapping[int, Any]):
    """Messages of one topic by capture stamp, read from the spool file when asked for."""

    def __init__(self, entries: list[SpoolEntry], read: Callable[[SpoolEntry], Any]) -> None:
        # What is published twice counts by its first arrival.
        self._entries = dict(sorted((entry.stamp, entry) for entry in reversed(entries)))
        self._read = read

    def __getitem__(self, stamp: int) -> Any:
        return self._read(self._entries[stamp])

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _read_image(message: Image) -> np.ndarray:
    """uint8 [H, W] of a mono8 message, or [H, W, 3] of an rgb8 one."""
    pixels = image_array(message)
    return pixels if message.encoding == "rgb8" else pixels[..., 0].copy()


def _read_boxes(message: Detection2DArray) -> list[Box]:
    boxes = []
    for detection in message.detections:
        best = max(detection.results, key=lambda result: result.hypothesis.score).hypothesis
        center = detection.bbox.center.position
        x, y = detection.bbox.size_x / 2, detection.bbox.size_y / 2
        boxes.append(
            Box(best.class_id, best.score, center.x - x, center.y - y, center.x + x, center.y + y)
        )
    return boxes


TOPICS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    CAPTURED: (CameraInfo, lambda message: message),
    PAYLOADS: (CompressedImage, lambda message: bytes(message.data)),
    SENT_LABELS: (Image, _read_image),
    LABELS: (Image, _read_image),
    IMAGES: (Image, _read_image),
    BOXES: (Detection2DArray, _read_boxes),
    DIAGNOSTICS: (DiagnosticArray, lambda message: message.status),
}
"""By topic: its type, and what the record holds of a message."""


class DriveRecorder(Node):
    """Records the topics of one vehicle's graph; made by `recording`.

    namespace: of the graph. spool: an empty file opened "w+b" that takes the messages.
    sends_labels: whether there are label maps to listen to; where the codec sends none, listening
    to the vehicle's would make it work for the recorder alone.
    """

    def __init__(self, namespace: str, spool: BinaryIO, sends_labels: bool) -> None:
        super().__init__("drive_recorder", namespace=namespace)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._spool = spool
        self._entries: dict[str, list[SpoolEntry]] = defaultdict(list)
        self._lifecycles: dict[str, Client] = {}
        self.newest_arrival = 0.0
        """Monotonic time in seconds when a message of the drive last arrived."""
        self._sends_labels = sends_labels
        for topic, (kind, _) in TOPICS.items():
            if sends_labels or topic != SENT_LABELS:
                # A message that the recorder alone missed would look like one that the graph lost.
                store = partial(self._store, topic)
                self.create_subscription(kind, topic, store, reliable(_DEPTH), raw=True)

    def count(self, topic: str) -> int:
        """Messages recorded so far on one of `TOPICS`."""
        return len(self._entries[topic])

    def spin(self, seconds: float) -> None:
        """Take what arrives during `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._spinner.spin_once(timeout_sec=left)

    def chained(self) -> bool:
        """Whether every node listens to the one before it, which each does once it is active."""
        # The recorder itself is one of those who listen to the payloads.
        wanted = {"camera/image_raw": 1, PAYLOADS: 2, f"{PAYLOADS}/received": 1}
        return all(self.count_subscribers(topic) >= count for topic, count in wanted.items())

    def reachable(self, process: NodeProcess) -> bool:
        """Whether the node's lifecycle can be asked for a transition."""
        return self._lifecycle(process).service_is_ready()

    def change_state(self, process: NodeProcess, transition: str) -> Future:
        """Ask a reachable node to "configure" or "activate"; the result says `success`."""
        request = ChangeState.Request()
        request.transition.id = getattr(Transition, f"TRANSITION_{transition.upper()}")
        return self._lifecycle(process).call_async(request)

    def status(self) -> dict[str, dict[str, str]]:
        """The last diagnostics of every node so far, by the node's name without namespace."""
        # Two nodes may report at the same time, so stamps would not do as keys.
        return {
            one.name.rsplit("/", 1)[-1]: {pair.key: pair.value for pair in one.values}
            for entry in self._entries[DIAGNOSTICS]
            for one in self._load(DIAGNOSTICS, entry)
        }

    def record(self) -> DriveRecord:
        """What was recorded, with messages turned into arrays as they are asked for."""

        def spooled(topic: str) -> Spooled:
            return Spooled(self._entries[topic], partial(self._load, topic))

        def arrivals(topic: str) -> dict[int, int]:
            return {entry.stamp: entry.arrival for entry in reversed(self._entries[topic])}

        drive = [entries for topic, entries in self._entries.items() if topic != DIAGNOSTICS]
        return DriveRecord(
            captured=sorted({entry.stamp for entry in self._entries[CAPTURED]}),
            payloads=spooled(PAYLOADS),
            sent_labels=spooled(SENT_LABELS),
            labels=spooled(LABELS),
            images=spooled(IMAGES),
            boxes=spooled(BOXES),
            label_arrivals=arrivals(LABELS),
            image_arrivals=arrivals(IMAGES),
            status=self.status(),
            repeated=sum(len(e) - len({entry.stamp for entry in e}) for e in drive),
            sends_labels=self._sends_labels,
        )

    def _lifecycle(self, process: NodeProcess) -> Client:
        name = f"{process.namespace}/{process.name}/change_state"
        if name not in self._lifecycles:
            self._lifecycles[name] = self.create_client(ChangeState, name)
        return self._lifecycles[name]

    def _store(self, topic: str, data: bytes) -> None:
        arrival = time.time_ns()
        # Every message type here begins with its header: after CDR's four bytes, its stamp.
        seconds, nanoseconds = struct.unpack_from("<iI", data, 4)
        stamp = seconds * 10**9 + nanoseconds
        offset = self._spool.seek(0, os.SEEK_END)
        self._entries[topic].append(SpoolEntry(stamp, arrival, offset, len(data)))
        self._spool.write(data)
        if topic != DIAGNOSTICS:
            self.newest_arrival = time.monotonic()

    def _load(self, topic: str, entry: SpoolEntry) -> Any:
        kind, read = TOPICS[topic]
        self._spool.seek(entry.offset)
        return read(deserialize_message(self._spool.read(entry.size), kind))


@contextmanager
def recording(namespace: str, spool: BinaryIO, sends_labels: bool) -> Iterator[DriveRecorder]:
    """A `DriveRecorder` in a ROS context of its own, which ends with the `with` block."""
    # The caller's own handling of signals stops the nodes first, then this context.
    rclpy.init(
        args=["--ros-args", "--disable-external-lib-logs"],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    try:
        recorder = DriveRecorder(namespace, spool, sends_labels)
        yield recorder
        recorder.destroy_node()
    finally:
        rclpy.try_shutdown()
