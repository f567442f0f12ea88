# SPDX-License-Identifier: Apache-2.0
"""What was seen of one drive at the topics, and how it lines up with the frames of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from semcom_ros.datasets import Source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit


class Box(NamedTuple):
    """One detection in an image: class name, score in 0..1, and corners in pixels."""

    name: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class DriveRecord:
    """One drive as a recorder beside the nodes saw it; mappings are by capture stamp in ns.

    captured: stamps of the frames that the camera published, in order. payloads: what the
    vehicle put on the air. sent_labels, labels: uint8 [H, W] maps before coding and at
    the RSU. images: uint8 [H, W, 3] at the RSU. label_arrivals, image_arrivals: ns since the
    epoch when the RSU's message reached the recorder. status: by node name, its last diagnostics.
    repeated: messages that carried a stamp their topic had carried before. restarts: times that a
    node which ended by itself was started anew, by its name. sends_labels: whether the codec sends
    a label map, so that there should be one for every frame.
    """

    captured: Sequence[int] = ()
    payloads: Mapping[int, bytes] = field(default_factory=dict)
    sent_labels: Mapping[int, np.ndarray] = field(default_factory=dict)
    labels: Mapping[int, np.ndarray] = field(default_factory=dict)
    images: Mapping[int, np.ndarray] = field(default_factory=dict)
    boxes: Mapping[int, Sequence[Box]] = field(default_factory=dict)
    label_arrivals: Mapping[int, int] = field(default_factory=dict)
    image_arrivals: Mapping[int, int] = field(default_factory=dict)
    status: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    repeated: int = 0
    restarts: Mapping[str, int] = field(default_factory=dict)
    sends_labels: bool = True

    @property
    def map_caption(self) -> str:
        """What the RSU's label map is."""
        return "received map" if self.sends_labels else "map read off the image"

    def complete(self) -> list[bool]:
        """Of every captured frame, whether its picture came, and its map was seen at both ends."""
        seen = set(self.images)
        if self.sends_labels:
            seen &= self.sent_labels.keys() & self.labels.keys()
        return [stamp in seen for stamp in self.captured]


@dataclass(frozen=True)
class Moment:
    """One frame of the drive from end to end; None where that piece did not come through.

    seconds: since the first frame. original: uint8 [H, W, 3] at the size of work. truth: the
    source's own labels, None where it has none.
    """

    seconds: float
    original: np.ndarray
    truth: np.ndarray | None
    sent: np.ndarray | None
    labels: np.ndarray | None
    image: np.ndarray | None
    boxes: Sequence[Box]
    payload: bytes | None


def moments(record: DriveRecord, source: Source) -> Iterator[tuple[int, Moment]]:
    """The drive frame by frame, each with its place in `record.captured`.

    Frames too small to be sent are left out.
    """
    for index, (stamp, native) in enumerate(zip(record.captured, _readable(source), strict=False)):
        try:
            frame = fit(native)
        except SemcomError:
            continue
        moment = Moment(
            (stamp - record.captured[0]) / 1e9,
            frame.image,
            frame.labels,
            record.sent_labels.get(stamp),
            record.labels.get(stamp),
            record.images.get(stamp),
            record.boxes.get(stamp, ()),
            record.payloads.get(stamp),
        )
        yield index, moment


def _readable(source: Source) -> Iterator[Frame]:
    """The frames of `source` that can be read: the camera leaves out the others, too."""
    for index in count():
        try:
            yield source[index]
        except IndexError:
            return
        except SemcomError:
            continue
