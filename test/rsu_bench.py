# SPDX-License-Identifier: Apache-2.0
"""An RSU under test: payloads for it, and a decoder and a perception that say what they shall."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from ros_bench import Bench, bench, camera_image
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray

from semcom_ros.codecs import create_encoder
from semcom_ros.frame import WORK_SIZE, Camera, Frame
from semcom_ros.labels import TRAIN_ID
from semcom_ros.nodes.messages import camera_info_message, payload_message
from semcom_ros.nodes.rsu_node import RsuNode
from semcom_ros.payload import Payload, pack
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
    "rsu/image": Image,
    "rsu/segmentation/color": Image,
    "rsu/overlay": Image,
    "rsu/depth": Image,
    "rsu/points": PointCloud2,
}


def arrival(sequence: int, stamp_of: Header | None = None) -> CompressedImage:
    """A payload of codec classical as the radio delivers it, captured now."""
    header = stamp_of or camera_image(sequence).header
    stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
    image = np.full((256, 512, 3), (40, 90, 160), np.uint8)
    payload = create_encoder("classical").encode(Frame(image, stamp=stamp), 400, sequence)
    return payload_message(header, "rgb8; semcom classical/1", pack(payload))


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


class FakeDecoder:
    """Decodes every payload to `gives`."""

    gives_labels = True

    def __init__(self, gives: Reconstruction) -> None:
        self.gives = gives

    def warm_up(self) -> None:
        pass

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        yield self.gives


class StagedDecoder(FakeDecoder):
    """Decodes first to the map of `gives`, then calls `between`, then gives the image as well."""

    def __init__(self, gives: Reconstruction, between: Callable[[], None]) -> None:
        super().__init__(gives)
        self.between = between

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        yield replace(self.gives, image=None)
        self.between()
        yield self.gives


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


def publish_camera(b: Bench, camera: Camera) -> None:
    """Publish intrinsics, right or wrong."""
    message = camera_info_message(Header(), camera)
    message.k = [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
    b.speak(CameraInfo, "camera/camera_info").publish(message)


def show_camera(b: Bench, camera: Camera = CAMERA) -> None:
    """Publish intrinsics, right or wrong, and wait until the RSU has them."""
    publish_camera(b, camera)
    b.until(lambda: b.node._outputs.intrinsics.source == camera, "the camera")


@contextmanager
def rsu(gives: Reconstruction, topics=tuple(TOPICS), **parameters) -> Iterator[tuple[Bench, dict]]:
    """An active RSU that decodes everything to `gives`, and what comes on `topics`."""
    with bench(RsuNode, codec="classical", **parameters) as b:
        b.up()
        b.node._decoder = FakeDecoder(gives)
        got = {topic: b.listen(TOPICS[topic], topic) for topic in topics}
        for topic in topics:
            b.listened(topic)
        yield b, got


def send(b: Bench, got: dict, number: int = 1, but: tuple[str, ...] = ()) -> CompressedImage:
    """One payload; wait for all that is listened to but `but`, and for the end of the frame."""
    message = arrival(number)
    before = {topic: len(messages) for topic, messages in got.items()}
    b.speak(CompressedImage, RECEIVED).publish(message)
    done = b.node._receiver.counters.snapshot
    b.until(lambda: done()["decoded"] + sum(done()["rejected"].values()) >= number, "the frame")
    for topic in set(got) - set(but):
        b.until(lambda t=topic: len(got[t]) > before[t], topic)
    return message
