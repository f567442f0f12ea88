# SPDX-License-Identifier: Apache-2.0
"""An RSU under test: payloads for it, and a decoder and a perception that say what they shall."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from codec_ends import Sending
from ros_bench import Bench, bench, camera_image
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray
from visualization_msgs.msg import MarkerArray

from semcom_ros.codecs.base import CodecEnd, Received
from semcom_ros.frame import WORK_SIZE, Camera, Frame
from semcom_ros.labels import TRAIN_ID
from semcom_ros.nodes.messages import payload_message
from semcom_ros.nodes.rsu_node import RsuNode
from semcom_ros.payload import pack
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.perceive import Predictions
from semcom_ros.reconstruction import Reconstruction

RECEIVED = "camera/image_raw/semcom/received"
CAMERA = Camera(256, 512, 430.0, 430.0, 255.5, 127.5)
CAR_BOX = (200.0, 100.0, 40.0, 20.0)

TOPICS = {
    "rsu/camera_info": CameraInfo,
    "rsu/segmentation": Image,
    "rsu/segmentation/confidence": Image,
    "rsu/detections": Detection2DArray,
    "rsu/detections_3d": Detection3DArray,
    "rsu/markers": MarkerArray,
    "rsu/image": Image,
    "rsu/segmentation/color": Image,
    "rsu/overlay": Image,
    "rsu/depth": Image,
    "rsu/points": PointCloud2,
}


def arrival(
    sequence: int, stamp_of: Header | None = None, camera: Camera | None = None
) -> CompressedImage:
    """A payload of codec classical as the radio delivers it, captured now."""
    header = stamp_of or camera_image(sequence).header
    stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
    image = np.full((256, 512, 3), (40, 90, 160), np.uint8)
    payload = Sending("classical").encode(Frame(image, stamp=stamp), 400, sequence)
    if camera is not None:
        told = {"source_height": camera.height, "source_width": camera.width, "camera": camera}
        payload = replace(payload, header=replace(payload.header, **told))
    return payload_message(header, "rgb8; semcom classical/2", pack(payload))


def street(car: bool = True, confidence: int = 204) -> Reconstruction:
    """A received map: road everywhere, with one car in `CAR_BOX`, and a picture of it."""
    labels = np.zeros(WORK_SIZE, np.uint8)
    if car:
        labels[100:120, 200:240] = TRAIN_ID["car"]
    return Reconstruction(
        image=np.full((*WORK_SIZE, 3), (7, 8, 9), np.uint8),
        labels=labels,
        confidence=np.full(WORK_SIZE, confidence, np.uint8),
        support=np.ones(WORK_SIZE, bool),
    )


class FakeDecoder(CodecEnd):
    """Decodes every payload to `gives`, and calls `between` before its image."""

    def __init__(self, gives: Reconstruction, between: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.gives, self.between = gives, between

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction]:
        return [replace(self.gives, image=None)] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray]:
        self.between()
        return [self.gives.image] * len(batch)


class FakePerception:
    """Says `seen` of every image and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.cameras: list[Camera] = []
        self.options: list[dict[str, object]] = []
        self.fails: Exception | None = None
        depth = np.full(WORK_SIZE, 20.0, np.float32)
        depth[:50] = np.nan
        labels = np.zeros(WORK_SIZE, np.uint8)
        self.seen = Predictions(labels, [Detection("car", 0.5, *CAR_BOX)], depth)

    def create(self, **options: object) -> FakePerception:
        """Takes the place of `create_perception`."""
        self.options.append(options)
        return self

    def __call__(self, images, cameras, labels) -> list[Predictions]:
        self.calls += 1
        self.cameras += cameras
        if self.fails:
            raise self.fails
        return [self.seen] * len(images)


def show_camera(b: Bench, camera: Camera = CAMERA) -> None:
    """Let the payloads to come tell intrinsics, right or wrong."""
    b.camera = camera


@contextmanager
def rsu(gives: Reconstruction, topics=tuple(TOPICS), **parameters) -> Iterator[tuple[Bench, dict]]:
    """An active RSU that decodes everything to `gives`, and what comes on `topics`."""
    with bench(RsuNode, codec="classical", **parameters) as b:
        b.up()
        b.node._rsu.decoder = FakeDecoder(gives)
        b.camera = None
        got = {topic: b.listen(TOPICS[topic], topic) for topic in topics}
        for topic in topics:
            b.listened(topic)
        yield b, got


def send(b: Bench, got: dict, number: int = 1, but: tuple[str, ...] = ()) -> CompressedImage:
    """One payload; wait for all that is listened to but `but`, and for the end of the frame."""
    message = arrival(number, camera=b.camera)
    before = {topic: len(messages) for topic, messages in got.items()}
    radio = [one for one in b.tester.publishers if one.topic_name.endswith(RECEIVED)]
    (radio or [b.speak(CompressedImage, RECEIVED)])[0].publish(message)
    done = b.node.vehicles[""].receiver.counters.snapshot
    b.until(lambda: done()["decoded"] + sum(done()["rejected"].values()) >= number, "the frame")
    for topic in set(got) - set(but):
        b.until(lambda t=topic: len(got[t]) > before[t], topic)
    return message
