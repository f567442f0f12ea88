# SPDX-License-Identifier: Apache-2.0
"""A camera: frames of a folder, a data set, a video, a bag or the procedural drive, at a steady
rate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcom_ros.datasets import Source, is_bag, open_source
from semcom_ros.frame import Camera
from semcom_ros.nodes.fast_dds import make_room
from semcom_ros.nodes.messages import camera_info_message, image_message
from semcom_ros.nodes.player import PlayerNode
from semcom_ros.nodes.topics import reliable


class Shot(NamedTuple):
    """A frame that is ready to go out, and its stamp in the source, in ns."""

    image: Image
    camera: Camera
    stamp_ns: int


class CameraNode(PlayerNode):
    """Publishes `camera/image_raw` (rgb8, native size) and `camera/camera_info`.

    Frames of a bag keep the stamps that they have there, and `/clock` shows them.
    """

    executable, takes = "camera_node", "frame"

    def __init__(self) -> None:
        super().__init__()
        self._source: Source | None = None
        self._read_s = 0.0
        self._unreadable = 0  # in a row

    def setup(self) -> None:
        self._source = open_source(self.settings.data, self.settings.split)
        self._images = self.publisher(Image, "camera/image_raw")
        self._infos = self.publisher(CameraInfo, "camera/camera_info")
        if is_bag(self.settings.data):
            self.clock = self.publisher(Clock, "/clock", reliable(1))

    def start(self) -> None:
        self._unreadable = 0
        super().start()

    def free(self) -> None:
        self._source = self.clock = None

    def status(self) -> tuple[bytes, str]:
        level, sentence = super().status()
        if level != DiagnosticStatus.ERROR and self._unreadable > 1:
            text = f"{self.doing}: the last {self._unreadable} frames cannot be read"
            return DiagnosticStatus.WARN, text
        return level, sentence

    def values(self) -> dict[str, str]:
        return {"data": self.settings.data, "paused": str(self.settings.paused).lower()}

    def play(self) -> None:
        shots, self.period_s = self._passes(), 1 / self.settings.rate_hz
        ahead = list(islice(shots, 1))
        first_ns = ahead[0].stamp_ns if ahead and ahead[0] else 0
        if not self.settled(self._images.get_subscription_count, first_ns):
            return
        due = time.monotonic()
        for shot in islice(chain(ahead, shots), self.settings.frames or None):
            if self.stopped(due - time.monotonic()):
                return
            if shot is not None:
                self._publish(*shot)
            due = max(due + self.period_s, time.monotonic())

    def _passes(self) -> Iterator[Shot | None]:
        """Every frame in order, once or for ever; None for one that cannot be read.

        A pass is stamped to follow the one before.
        """
        index, later_ns, stamps = self.settings.first_frame, 0, list[int]()
        while True:
            try:
                shot = self._prepare(index)
            except IndexError:
                if not (self.settings.loop and index):
                    return
                if stamps:
                    later_ns += stamps[-1] - stamps[0] + round(1e9 / self._source.rate_hz)
                index, stamps = 0, []
                continue
            index += 1
            if shot is not None:
                stamps = [*stamps[:1], shot.stamp_ns]
                shot = shot._replace(stamp_ns=shot.stamp_ns + later_ns)
            yield shot

    def _prepare(self, index: int) -> Shot | None:
        """Read a frame ahead; None, counted and logged, where that fails. IndexError at the end."""
        began = time.monotonic()
        try:
            frame = self._source[index]
        except IndexError:
            raise
        except Exception as error:
            self._unreadable += 1
            self.fail_frame(error, "unreadable")
            return None
        self._unreadable = 0
        self._read_s = time.monotonic() - began
        height, width = frame.image.shape[:2]
        # A data set of several cities has several cameras.
        camera = frame.camera or self._source.camera
        if camera is None or (camera.height, camera.width) != (height, width):
            camera = Camera(height, width)
        message = image_message(Header(frame_id=self.settings.frame_id), frame.image)
        return Shot(message, camera, frame.stamp)

    def _publish(self, message: Image, camera: Camera, stamp_ns: int) -> None:
        self.flow.came()
        if self.clock is None:
            stamp_ns = self.get_clock().now().nanoseconds
        self.show_time(stamp_ns)
        message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
        self._infos.publish(camera_info_message(message.header, camera))
        self._images.publish(message)
        self.statistics.count("sent")
        self.flow.got_through()
        self.statistics.output(self._read_s, self.age_s(message.header))


def main() -> None:
    """Entry point."""
    make_room()
    CameraNode.main()
