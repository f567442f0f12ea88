# SPDX-License-Identifier: Apache-2.0
"""A camera: frames of a folder, a data set, a video or the procedural drive, at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from semcom_ros.datasets import Source, open_source
from semcom_ros.frame import Camera
from semcom_ros.nodes.flow import Flow
from semcom_ros.nodes.messages import camera_info_message, image_message
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.shared_memory import make_room

SETTLE_S = 0.3
"""From seeing a listener to the first frame: the listener has to find the camera, too."""
PLAYING, PAUSED, FAILED = "playing", "paused", "stopped by an error"


class CameraNode(SemcomNode):
    """Publishes `camera/image_raw` (rgb8, native size) and `camera/camera_info`."""

    executable, takes = "camera_node", "frame"

    def __init__(self) -> None:
        super().__init__()
        self._source: Source | None = None
        self._stopping = threading.Event()
        self._doing = "waiting for listeners"
        self._read_s = 0.0
        self._unreadable = 0  # in a row

    def setup(self) -> None:
        self._source = open_source(self.settings.data, self.settings.split)
        self._images = self.publisher(Image, "camera/image_raw")
        self._infos = self.publisher(CameraInfo, "camera/camera_info")

    def start(self) -> None:
        self._stopping.clear()
        self._doing, self._unreadable = "waiting for listeners", 0
        thread = threading.Thread(target=self._play, name="camera")
        thread.start()
        self.ends.callback(thread.join)
        self.ends.callback(self._stopping.set)

    def free(self) -> None:
        self._source = None

    def status(self) -> tuple[bytes, str]:
        self.working = self._doing
        if self._doing == FAILED:
            return DiagnosticStatus.ERROR, FAILED
        if self._unreadable > 1:
            text = f"{self._doing}: the last {self._unreadable} frames cannot be read"
            return DiagnosticStatus.WARN, text
        return super().status() if self._doing == PLAYING else (DiagnosticStatus.OK, self._doing)

    def values(self) -> dict[str, str]:
        return {"data": self.settings.data, "paused": str(self.settings.paused).lower()}

    def _play(self) -> None:
        try:
            self._wait_for_listeners()
            due = time.monotonic()
            for prepared in islice(self._passes(), self.settings.frames or None):
                if self._stopping.wait(max(0.0, due - time.monotonic())) or self._hold():
                    return
                if prepared is not None:
                    self._publish(*prepared)
                due = max(due + 1 / self.settings.rate_hz, time.monotonic())
            self._doing = "finished"
            self.get_logger().info("The drive is finished.")
        except Exception as error:
            self._doing = FAILED
            self.fail_frame(error)

    def _hold(self) -> bool:
        """Wait while the drive is paused; whether it ends meanwhile."""
        if not self.settings.paused:
            return False
        self._doing = PAUSED
        while self.settings.paused:
            if self._stopping.wait(0.05):
                return True
        self._play_on()
        return False

    def _wait_for_listeners(self) -> None:
        wanted = self.settings.wait_for_subscribers
        if wanted:
            while self._images.get_subscription_count() < wanted:
                if self._stopping.wait(0.05):
                    return
            self._stopping.wait(SETTLE_S)
        self._play_on()

    def _play_on(self) -> None:
        self.flow = Flow(self.takes, 1 / self.settings.rate_hz)
        self._doing = PLAYING

    def _passes(self) -> Iterator[tuple[Image, Camera] | None]:
        """Every frame in order, once or for ever; None for one that cannot be read."""
        index = 0
        while True:
            try:
                yield self._prepare(index)
                index += 1
            except IndexError:
                if not (self.settings.loop and index):
                    return
                index = 0

    def _prepare(self, index: int) -> tuple[Image, Camera] | None:
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
        return image_message(Header(frame_id=self.settings.frame_id), frame.image), camera

    def _publish(self, message: Image, camera: Camera) -> None:
        self.flow.came()
        message.header.stamp = self.get_clock().now().to_msg()
        self._infos.publish(camera_info_message(message.header, camera))
        self._images.publish(message)
        self.statistics.count("sent")
        self.flow.got_through()
        self.statistics.output(self._read_s, self.age_s(message.header))


def main() -> None:
    """Entry point."""
    make_room()
    CameraNode.main()


if __name__ == "__main__":
    main()
