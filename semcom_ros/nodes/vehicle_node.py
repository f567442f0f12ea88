# SPDX-License-Identifier: Apache-2.0
"""The vehicle: newest camera image in, its payload out.

A frame that a newer one overtakes before its turn is dropped; without listeners nothing is done.
"""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from semcom_ros.codecs import Encoder, create_encoder, settings_of
from semcom_ros.frame import Frame, fit
from semcom_ros.nodes.messages import (
    compressed_array,
    image_array,
    image_message,
    payload_message,
    stamp_ns,
)
from semcom_ros.nodes.node_base import SemcomNode, run
from semcom_ros.nodes.worker import Worker
from semcom_ros.payload import pack

_SEQUENCES = 2**32


class VehicleNode(SemcomNode):
    """`camera/image_raw` -> `camera/image_raw/semcom` and the map before coding."""

    def __init__(self) -> None:
        super().__init__("vehicle_node")
        self._encoder: Encoder | None = None
        self._segmenter = None
        self._worker: Worker | None = None
        self._sequence = 0
        self._bytes = 0

    def setup(self) -> None:
        self.prepare_compute()
        self._encoder = self._load(self.settings)
        self._payloads = self.publisher(
            CompressedImage, "camera/image_raw/semcom", matched=self._follow_demand
        )
        self._maps = self.publisher(Image, "vehicle/segmentation", matched=self._follow_demand)

    def start(self) -> None:
        superseded = self.statistics.count
        self._worker = Worker(
            self._send, lambda _: superseded("superseded"), self.fail_frame, self._warm_up
        )
        self._follow_demand()

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def free(self) -> None:
        self._encoder = self._segmenter = None

    def change(self, settings: SimpleNamespace) -> None:
        own = settings_of(settings.codec, vars(settings))
        if settings.codec != self.settings.codec:
            self._encoder = self._load(settings)
        elif own:
            self._encoder.configure(**own)

    def diagnose(self) -> tuple[bytes, str, dict[str, str]]:
        values = {
            "codec": self.settings.codec,
            "payload_bytes": str(self.settings.payload_bytes),
            "bytes": str(self._bytes),
        }
        if not self.subscribed:
            return DiagnosticStatus.OK, "idle: nobody listens", values
        if not self.statistics.rate_hz():
            return DiagnosticStatus.WARN, "no frame was sent in the last seconds", values
        return DiagnosticStatus.OK, "sending", values

    def _load(self, settings: SimpleNamespace) -> Encoder:
        encoder = create_encoder(settings.codec, **settings_of(settings.codec, vars(settings)))
        encoder.warm_up()
        if encoder.uses_labels:
            self._load_segmenter(settings.device)
        return encoder

    def _load_segmenter(self, device: str) -> None:
        # torch takes a second to import, and a codec of pictures never needs it.
        from semcom_ros.perception.segmentation import Segmenter

        self._segmenter = self._segmenter or Segmenter.from_pretrained(device=device)

    def _warm_up(self) -> None:
        self._encoder.warm_up()
        if self._segmenter is not None:
            self._segmenter.warm_up()

    def _segment(self, image: np.ndarray) -> np.ndarray:
        if self._segmenter is None:
            self._load_segmenter(self.settings.device)
        [labels] = self._segmenter([image])
        return labels

    def _follow_demand(self) -> None:
        """Listen to the camera only while somebody listens to the vehicle."""
        listeners = self._payloads.get_subscription_count() + self._maps.get_subscription_count()
        wanted = self.active and listeners > 0
        if wanted and not self.subscribed:
            if self.settings.input_transport == "compressed":
                self.subscribe(CompressedImage, "camera/image_raw/compressed", self._on_image)
            else:
                self.subscribe(Image, "camera/image_raw", self._on_image)
        elif not wanted:
            self.unsubscribe()

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.count("received")
        self._worker.put(message)

    def _send(self, message: Image | CompressedImage) -> None:
        began = time.monotonic()
        encoder, settings = self._encoder, self.settings
        raw = isinstance(message, Image)
        image = image_array(message) if raw else compressed_array(message)
        frame = fit(Frame(image, stamp=stamp_ns(message.header)))
        if encoder.uses_labels:
            frame = replace(frame, labels=self._segment(frame.image))
        payload = encoder.encode(frame, settings.payload_bytes, self._sequence)
        self._sequence = (self._sequence + 1) % _SEQUENCES
        data = pack(payload)
        header = payload.header
        format = f"rgb8; semcom {header.codec}/{header.codec_version}"
        self._payloads.publish(payload_message(message.header, format, data))
        self._bytes = len(data)
        self.statistics.count("sent")
        self.statistics.output(time.monotonic() - began, self.age_s(message.header))
        try:
            self._publish_map(message.header, frame)
        except Exception as error:
            # The frame itself went out: it must not count among those that did not.
            self.fail_frame(error, "map_errors")

    def _publish_map(self, header: Header, frame: Frame) -> None:
        if self._maps.get_subscription_count():
            labels = frame.labels
            if labels is None:
                labels = self._segment(frame.image)
            self._maps.publish(image_message(header, labels))


def main() -> None:
    """Entry point of `ros2 run semcom_ros vehicle_node`."""
    run(VehicleNode)


if __name__ == "__main__":
    main()
