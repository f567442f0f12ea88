# SPDX-License-Identifier: Apache-2.0
"""Writes a drive to a bag: a camera's pictures, and what is known of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from semcom_ros.datasets.bags import STORAGES, BagReader, BagWriter, Qos, table_text
from semcom_ros.datasets.bags.cameras import TRUTH
from semcom_ros.datasets.bags.types import Package, cdr, type_store
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.messages import build
from semcom_ros.messages.placing import turn
from semcom_ros.objects import Object
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.projection import Detection3D

START_NS = 1_577_836_800 * 10**9
"""2020-01-01 UTC, where data begins that counts from its own start: a 0 is no time in ROS."""
CAMERA_FRAME = "camera_optical"
_LABELS = f"/camera/{TRUTH}/segmentation"
_KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}
_STORE = type_store()
_SENSOR, _VISION = Package("sensor_msgs", _STORE), Package("vision_msgs", _STORE)
_STD, _TIME = Package("std_msgs", _STORE), Package("builtin_interfaces", _STORE)
TF, GEOMETRY, NAV = (Package(name, _STORE) for name in ("tf2_msgs", "geometry_msgs", "nav_msgs"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every command that writes a bag."""
    parser.add_argument("out", type=Path, help="folder of the bag; nothing may be there yet")
    parser.add_argument("--split", default="val", help="of data that has splits")
    parser.add_argument("--storage", choices=STORAGES, default="mcap", help="of the bag's messages")
    parser.add_argument(
        "--raw", action="store_true", help="pictures as Image, not as files in CompressedImage"
    )


class CameraBag:
    """A new bag of one camera's drive. Its frames come in the order of their stamps.

    Topics are made by what there is to write, so that none is empty.
    """

    def __init__(self, bag: BagWriter, raw: bool) -> None:
        self._bag, self._raw = bag, raw
        self._topics: dict[str, Any] = {}
        self.first_ns, self._last_ns = -1, -1

    def write(self, frame: Frame, file: Path | None) -> None:
        """The picture, and what the frame knows beside it: intrinsics, labels, depth, objects.

        file: the picture's. Where that is PNG or JPEG its bytes are taken as they are; others
        become PNG. Raises SemcomError where the stamp is not after that of the frame before.
        """
        if frame.stamp <= self._last_ns:
            raise SemcomError(
                f"The frame '{file or self._bag.path}' of stamp {frame.stamp} is not after the one "
                f"before it, {self._last_ns}: put its time right, or give frames a rate of their "
                "own with `semcom bag from SOURCE OUT --rate-hz R`."
            )
        if self.first_ns < 0:
            self.first_ns = frame.stamp
        self._last_ns, header = frame.stamp, header_of(frame.stamp)
        if self._raw:
            picture = build.image_message(_SENSOR, header, frame.image)
            self.put("/camera/image_raw", picture, frame.stamp)
        else:
            picture = _compressed(header, frame.image, file)
            self.put("/camera/image_raw/compressed", picture, frame.stamp)
        if frame.camera is not None:
            info = build.camera_info_message(_SENSOR, header, frame.camera)
            self.put("/camera/camera_info", info, frame.stamp)
        if frame.labels is not None:
            if _LABELS not in self._topics:
                names = build.label_info_message(_VISION, header_of(self.first_ns))
                self.put(f"{_LABELS}/label_info", names, self.first_ns, latched=True)
            labels = build.image_message(_SENSOR, header, frame.labels)
            self.put(_LABELS, labels, frame.stamp)
        if frame.depth is not None:
            depth = build.depth_message(_SENSOR, header, frame.depth)
            self.put(f"/camera/{TRUTH}/depth", depth, frame.stamp)
        if frame.objects is not None:
            flat = [Detection(one.name, 1.0, *one.box) for one in frame.objects]
            boxes = build.detections_message(_VISION, header, flat)
            self.put(f"/camera/{TRUTH}/detections", boxes, frame.stamp)
            solids = _solids(header, frame.objects)
            self.put(f"/camera/{TRUTH}/detections_3d", solids, frame.stamp)

    def put(self, topic: str, message: Any, stamp: int, latched: bool = False) -> None:
        """Any message."""
        if topic not in self._topics:
            qos = Qos(latched=True, depth=1) if latched else Qos()
            self._topics[topic] = self._bag.topic(topic, message.__msgtype__, qos)
        self._bag.write(self._topics[topic], stamp, cdr(message, _STORE))


@contextmanager
def new_bag(args: argparse.Namespace, source: str) -> Iterator[CameraBag]:
    """The bag that the options ask for, and at the end the table of what it holds.

    Raises SemcomError where no frame was written.
    """
    with BagWriter(args.out, args.storage) as bag:
        # Without the place, so that the same data makes the same bytes wherever it lies.
        bag.note("source", Path(source).name)
        written = CameraBag(bag, args.raw)
        yield written
        if written.first_ns < 0:
            raise SemcomError(f"{source} gave no frames: there is nothing to write.")
    with BagReader(args.out) as read:
        print(table_text(read.table()))


def header_of(stamp: int, frame_id: str = CAMERA_FRAME) -> Any:
    """A header of `stamp` in ns."""
    seconds, rest = divmod(stamp, 10**9)
    return _STD.Header(stamp=_TIME.Time(sec=seconds, nanosec=rest), frame_id=frame_id)


def _solids(header: Any, objects: tuple[Object, ...]) -> Any:
    """Boxes that are known exactly, with their headings."""
    found = []
    for one in objects:
        length, width, height = one.box_3d.size
        size = width, height, length  # along x, y and z, of what heads away from the camera
        found.append(Detection3D(one.name, 1.0, one.box_3d.centre, size, np.zeros((3, 3))))
    made = build.detections_3d_message(_VISION, header, found)
    for message, one in zip(made.detections, objects, strict=True):
        message.id = str(one.id)
        ahead, right, up = one.box_3d.axes
        hypothesis = message.results[0].pose
        hypothesis.covariance = np.zeros(36)
        for pose in (hypothesis.pose, message.bbox.center):
            turn(pose.orientation, Rotation.from_matrix(np.array([right, -up, ahead]).T))
    return made


def _compressed(header: Any, image: np.ndarray, file: Path | None) -> Any:
    kind = _KINDS.get(file.suffix.lower()) if file else None
    if file and kind:
        data = file.read_bytes()
    else:
        kind, data = "png", cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    message = _SENSOR.CompressedImage(header=header, format=f"rgb8; {kind} compressed bgr8")
    message.data = np.frombuffer(data, np.uint8)
    return message
