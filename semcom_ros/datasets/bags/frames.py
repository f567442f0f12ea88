# SPDX-License-Identifier: Apache-2.0
"""The frames of a bag: its pictures with their stamps, and what the bag knows of them."""

from __future__ import annotations

import struct
import sys
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets.bags.cameras import COMPRESSED, find_camera
from semcom_ros.datasets.bags.reader import BagReader
from semcom_ros.datasets.files import position
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame
from semcom_ros.labels import TRAIN_ID, VOID
from semcom_ros.messages.camera import camera_of, compressed_array, image_array

SLACK_NS = 200_000_000
"""So much later a recorder may have written what belongs to a picture."""


class Recorded(NamedTuple):
    """A picture's stamp in ns, and the serialized messages of it, its camera and its labels."""

    stamp: int
    picture: bytes
    info: bytes | None
    labels: bytes | None


def stamp_of(cdr: bytes) -> int:
    """The stamp in ns of a serialized message that begins with a header; 0 of one cut short."""
    if len(cdr) < 12:
        return 0
    sec, nanosec = struct.unpack_from("<iI" if cdr[1] else ">iI", cdr, 4)
    return sec * 10**9 + nanosec


class Bag:
    """The pictures of one camera in a bag, in the order in which they were recorded.

    where: the bag, and after a # the topic of the pictures where it has several cameras. A frame
    has the stamp of its header, or the recorder's where that is 0; the newest intrinsics of its
    time; labels of the same stamp (`cameras.find_camera`). Quickest when asked for in order.
    Raises SemcomError where there is no picture.
    """

    def __init__(self, where: str) -> None:
        path, _, topic = where.rpartition("#")
        if not path or Path(where).expanduser().exists():
            path, topic = where, ""
        self.name, self._bag = f"bag:{where}", BagReader(path)
        self._topics = find_camera(self._bag, topic)
        picture = self._bag.topics[self._topics.picture]
        if not picture.count:
            raise SemcomError(f"The topic {picture.name} of '{path}' has no messages.")
        self._count, self._compressed = picture.count, picture.type_name == COMPRESSED
        self.rate_hz = self._rate()
        self._train_ids = self._read_label_info()
        self.camera = self._first_camera()
        self._recorded, self._at = self._read(), 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size."""
        index = position(index, len(self))
        if index < self._at:
            self._recorded, self._at = self._read(), 0
        for recorded in self._recorded:
            self._at += 1
            if self._at > index:
                return self._frame(recorded)
        self._at = sys.maxsize  # whichever frame is next, the bag is read anew for it
        raise IndexError(f"frame {index} of '{self._bag.path}'")

    def _rate(self) -> float:
        """By the usual step of the first pictures: snippets stand apart, others speak longer."""
        first = islice(self._bag.messages([self._topics.picture]), 10)
        steps = np.diff([stamp_of(cdr) or logged for _, logged, cdr in first])
        steps = steps[steps > 0]
        return 1e9 / float(np.median(steps)) if steps.size else 10.0

    def _read(self) -> Iterator[Recorded]:
        """Every picture with what belongs to it."""
        topics, waiting = self._topics, deque[tuple[int, int, bytes]]()
        infos, labels, info = dict[int, bytes](), dict[int, bytes](), None
        read = {topics.picture, topics.info, topics.labels} - {""}
        for topic, logged, cdr in chain(self._bag.messages(read), [("", sys.maxsize, b"")]):
            while waiting and logged > waiting[0][0] + SLACK_NS:
                _, stamp, picture = waiting.popleft()
                for at in [at for at in infos if at <= stamp]:
                    info = infos.pop(at)
                yield Recorded(stamp, picture, info, labels.pop(stamp, None))
                labels = {at: one for at, one in labels.items() if at > stamp}
            if not topic:
                return
            stamp = stamp_of(cdr) or logged
            if topic == topics.picture:
                waiting.append((logged, stamp, cdr))
            else:
                (infos if topic == topics.info else labels)[stamp] = cdr

    def _frame(self, one: Recorded) -> Frame:
        image = self._pixels(self._topics.picture, one.picture)
        camera = self._camera(one.info) if one.info else self.camera
        labels = None
        if one.labels:
            labels = self._train_ids[self._pixels(self._topics.labels, one.labels)[..., 0]]
            if labels.shape != image.shape[:2]:
                raise SemcomError(
                    f"The labels of stamp {one.stamp} in '{self._bag.path}' are not in the size of "
                    "their picture."
                )
        return Frame(image, labels, one.stamp, camera)

    def _pixels(self, topic: str, cdr: bytes) -> np.ndarray:
        message = self._bag.deserialize(topic, cdr)
        if self._bag.topics[topic].type_name == COMPRESSED:
            return compressed_array(message)
        return np.require(image_array(message), requirements=["C", "W"])

    def _camera(self, cdr: bytes) -> Camera | None:
        rectified = "/image_rect" in self._topics.picture
        camera = camera_of(self._bag.deserialize(self._topics.info, cdr), rectified)
        return camera if camera.calibrated else None

    def _first_camera(self) -> Camera | None:
        read = (self._topics.info,) if self._topics.info else ()
        return next((self._camera(cdr) for _, _, cdr in self._bag.messages(read)), None)

    def _read_label_info(self) -> np.ndarray:
        """The trainId of each number in the labels: uint8 [256]."""
        train_ids = np.full(256, VOID, np.uint8)
        read = (self._topics.label_info,) if self._topics.labels else ()
        for topic, _, cdr in self._bag.messages(read):
            for one in self._bag.deserialize(topic, cdr).class_map:
                if one.class_name in TRAIN_ID and one.class_id < VOID:
                    train_ids[one.class_id] = TRAIN_ID[one.class_name]
        return train_ids
