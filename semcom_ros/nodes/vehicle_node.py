# SPDX-License-Identifier: Apache-2.0
"""The vehicle: newest camera image in, its payload out.

A frame that a newer one overtakes before its turn is dropped; without listeners nothing is done.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from semcom_ros.codecs import codec_of, create_encoder, settings_of
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame, mounting_of
from semcom_ros.link.security_parameters import NO_SECURITY
from semcom_ros.messages.camera import camera_of, compressed_array, image_array
from semcom_ros.nodes.messages import (
    image_message,
    link_state,
    number_in,
    payload_message,
    report_values,
    stamp_ns,
)
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.node_parameters import codec_options
from semcom_ros.nodes.stamp_gaps import StampGaps
from semcom_ros.nodes.topics import offered, reliable
from semcom_ros.payload import pack
from semcom_ros.pipeline.transmitter import Transmitter
from semcom_ros.pipeline.worker import Worker

LOST = 0.2
"""Share of a camera's images that may fail to come before the diagnostics warn."""
REFUSED = "refused"

if TYPE_CHECKING:
    from semcom_ros.codecs.base import Encoder, Reading
    from semcom_ros.link.sealer import Sealer
    from semcom_ros.perception.segmentation import Segmenter


class VehicleNode(SemcomNode):
    """`camera/image_raw` -> `camera/image_raw/semcom` and the map before coding."""

    executable = "vehicle_node"
    working, takes = "sending", "image"

    def __init__(self) -> None:
        super().__init__()
        self._transmitter: Transmitter | None = None
        self._sealer: Sealer | None = None
        self._segmenter: Segmenter | None = None
        self._bytes = 0
        self._camera: Camera | None = None
        self._intrinsics, self._gaps = "none", StampGaps()
        self._task = ""

    def setup(self) -> None:
        self.prepare_compute()
        mounting_of(self.settings.mounting)
        encoder = self.load(self.settings)
        s = self.settings
        vehicle = s.vehicle_id or number_in(self.get_namespace())
        if vehicle is None:
            vehicle = zlib.crc32(self.get_namespace().encode())
        if s.security != NO_SECURITY:
            # cryptography, for those alone who want it
            from semcom_ros.link.keys import KeyFolder
            from semcom_ros.link.sealer import Sealer

            self._sealer = Sealer(s.security, KeyFolder.named(s.keys), vehicle)
        plan = self._sealer.plan if self._sealer else None
        self._transmitter = Transmitter(s.codec, encoder, self._segment, None, vehicle, plan)
        self._payloads = self.publisher(CompressedImage, "camera/image_raw/semcom", on_demand=True)
        self._maps = self.publisher(Image, "vehicle/segmentation", on_demand=True)

    def start(self) -> None:
        superseded = partial(self.statistics.count, "superseded")
        self._worker = Worker(self._send, lambda _: superseded(), self.fail_frame, self._warm_up)
        self.ends.callback(self._worker.stop)
        self._worker.warm.result()

    def free(self) -> None:
        self._transmitter = self._segmenter = self._sealer = None

    def load(self, settings: SimpleNamespace) -> Encoder:
        encoder = create_encoder(settings.codec, **codec_options(settings))
        encoder.warm_up()
        if codec_of(settings.codec).sends_labels:
            self._load_segmenter()
        return encoder

    def change(self, settings: SimpleNamespace, loaded: Encoder | None) -> None:
        encoder = loaded or self._transmitter.encoder
        encoder.settings = settings_of(settings.codec, vars(settings))
        if loaded:
            self._transmitter.use(settings.codec, encoder)

    def read(self, words: str) -> Reading:
        return self._transmitter.encoder.read(words)

    def values(self) -> dict[str, str]:
        s = self.settings
        told = {"codec": s.codec, "payload_bytes": s.payload_bytes, "bytes": self._bytes}
        if self._sealer:
            told |= {"security": self._sealer.state, "reports_refused": self._sealer.refused}
        return {**{n: str(value) for n, value in told.items()}, "intrinsics": self._intrinsics}

    def status(self) -> tuple[bytes, str]:
        level, sentence = super().status()
        if self._sealer and self._sealer.keys.trouble:
            return DiagnosticStatus.WARN, self._sealer.keys.trouble
        if level == DiagnosticStatus.OK and self.subscribed:
            if self._gaps.lost > LOST:
                lost = f"{self._gaps.lost:.0%} of the camera's images are lost before the vehicle"
                return DiagnosticStatus.WARN, lost
            if self._intrinsics == REFUSED:
                return DiagnosticStatus.WARN, "camera_info is of images of another size"
        return level, sentence

    def _load_segmenter(self) -> Segmenter:
        # torch takes a second to import, and a codec of pictures never needs it.
        from semcom_ros.perception.segmentation import Segmenter

        self._segmenter = self._segmenter or Segmenter.from_pretrained(device=self.settings.device)
        return self._segmenter

    def _warm_up(self) -> Iterator[None]:
        self._transmitter.encoder.warm_up()
        yield
        if self._segmenter is not None:
            self._segmenter.warm_up()

    def _segment(self, images: np.ndarray) -> np.ndarray:
        return self._load_segmenter()(list(images))

    def listen(self) -> None:
        self._gaps = StampGaps()
        if self.settings.input_transport == "compressed":
            self.subscribe(CompressedImage, "camera/image_raw/compressed", self._on_image)
        else:
            self.subscribe(Image, "camera/image_raw", self._on_image)
        self.subscribe(
            CameraInfo, "camera/camera_info", self._on_camera_info, offered(latched=True)
        )
        self.subscribe(DiagnosticArray, "rsu/link", self._on_link, reliable(1))

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._gaps.info(stamp_ns(message.header))
        # By these names image_proc says that there is no distortion.
        named = any("/image_rect" in one.topic_name for one in self.subscriptions)
        camera = camera_of(message, self.settings.rectified or named)
        self._camera = replace(camera, mounting=mounting_of(self.settings.mounting))

    def _on_link(self, message: DiagnosticArray) -> None:
        try:
            if self._sealer:
                # The RSU's own status: what a link_node knows of the path comes after it, unsigned.
                del message.status[1:]
                self._sealer.hear(report_values(message))
            link, task = link_state(message)
        except SemcomError as error:
            self.complain(str(error))
            return
        self._task = task
        self._transmitter.report(link)

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.count("received")
        self.statistics.count("missed", self._gaps.image(stamp_ns(message.header)))
        self.flow.came()
        self._worker.put(message)

    def _send(self, batch: list[Image | CompressedImage]) -> None:
        began = time.monotonic()
        (message,) = batch
        raw = isinstance(message, Image)
        image = image_array(message) if raw else compressed_array(message)
        frame = Frame(image, stamp=stamp_ns(message.header), camera=self._camera_of(image))
        settings = self.settings
        payload, frame = self._transmitter.transmit(
            frame, settings.payload_bytes, self._task, settings.refresh_every
        )
        data = pack(payload)
        format = f"rgb8; semcom {payload.header.codec}/{payload.header.codec_version}"
        self._payloads.publish(payload_message(message.header, format, data))
        self._bytes = len(data)
        self.statistics.count("sent")
        self.flow.got_through()
        self.statistics.output(time.monotonic() - began, self.age_s(message.header))
        try:
            self._publish_map(message.header, frame)
        except Exception as error:
            # The frame itself went out: it must not count among those that did not.
            self.fail_frame(error, "map_errors")

    def _camera_of(self, image: np.ndarray) -> Camera | None:
        """The intrinsics of `image`; None, and no metres at the RSU, for those of another size."""
        camera, (height, width) = self._camera, image.shape[:2]
        if camera is None or not camera.fx or (camera.height, camera.width) == (height, width):
            self._intrinsics = "taken" if camera and camera.fx else "none"
            return camera
        self._intrinsics = REFUSED
        self.complain(
            f"camera_info is of images of {camera.width}x{camera.height} pixels (after its region "
            f"of interest and binning), and the camera's have {width}x{height}: there will be no "
            "metres. Publish the intrinsics of these images."
        )
        return None

    def _publish_map(self, header: Header, frame: Frame) -> None:
        if self._maps.get_subscription_count():
            labels = frame.labels
            if labels is None:
                (labels,) = self._segment(frame.image[np.newaxis])
            self._maps.publish(image_message(header, labels))


main = VehicleNode.main
