# SPDX-License-Identifier: Apache-2.0
"""A drive read from its bag, and how it lines up with the frames of the source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from semcom_ros.datasets import Source
from semcom_ros.datasets.bags import BagReader
from semcom_ros.datasets.bags.frames import stamp_of
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.graph import (
    BOXES,
    CAMERA_INFO,
    IMAGES,
    LABELS,
    NAMESPACE,
    PAYLOADS,
    SENT_LABELS,
)
from semcom_ros.lab.rates import air_bytes
from semcom_ros.messages.boxes import detections_of
from semcom_ros.nodes.clock_history import ClockHistory
from semcom_ros.perception.detection import Detection

DRIVE = (CAMERA_INFO, PAYLOADS, SENT_LABELS, LABELS, IMAGES, BOXES)
"""Topics that say each stamp once."""


@dataclass(frozen=True)
class DriveRecord:
    """One drive as a recorder beside the nodes heard it; mappings are by capture stamp in ns.

    captured: stamps of the frames that the camera published, in order. payloads: what the
    vehicle put on the air. sent_labels, labels: uint8 [H, W] maps before coding and at
    the RSU. images: uint8 [H, W, 3] at the RSU. label_arrivals, image_arrivals: ns since the
    epoch when the RSU's message reached the recorder. clock: what /clock showed when, where it told
    the time. status: by node name, its last diagnostics.
    repeated: messages that carried a stamp their topic had carried before. restarts: times that a
    node which ended by itself was started anew, by its name. sends_labels: whether the codec sends
    a label map, so that there should be one for every frame.
    """

    captured: Sequence[int] = ()
    payloads: Mapping[int, bytes] = field(default_factory=dict)
    sent_labels: Mapping[int, np.ndarray] = field(default_factory=dict)
    labels: Mapping[int, np.ndarray] = field(default_factory=dict)
    images: Mapping[int, np.ndarray] = field(default_factory=dict)
    boxes: Mapping[int, Sequence[Detection]] = field(default_factory=dict)
    label_arrivals: Mapping[int, int] = field(default_factory=dict)
    image_arrivals: Mapping[int, int] = field(default_factory=dict)
    clock: ClockHistory = field(default_factory=ClockHistory)
    status: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    repeated: int = 0
    restarts: Mapping[str, int] = field(default_factory=dict)
    sends_labels: bool = True

    @property
    def map_caption(self) -> str:
        """What the RSU's label map is."""
        return "received map" if self.sends_labels else "map made at the RSU"

    def latencies_ms(self, arrivals: Mapping[int, int]) -> list[float]:
        """From the capture of each frame to its arrival."""
        captured = ((self.clock.reached(stamp) or stamp, at) for stamp, at in arrivals.items())
        return [(at - then) / 1e6 for then, at in captured]

    def complete(self) -> list[bool]:
        """Of every captured frame, whether its picture came, and its map was seen at both ends."""
        seen = set(self.images)
        if self.sends_labels:
            seen &= self.sent_labels.keys() & self.labels.keys()
        return [stamp in seen for stamp in self.captured]


class RecordedPictures(Mapping[int, np.ndarray]):
    """The pictures of one topic by capture stamp, read when asked for: uint8 [H, W] of mono8, or
    [H, W, 3] of rgb8.

    arrivals: their times in the bag by stamp.
    """

    def __init__(self, bag: BagReader, topic: str, arrivals: Mapping[int, int]) -> None:
        self._bag, self._topic, self._arrivals = bag, topic, arrivals

    def __getitem__(self, stamp: int) -> np.ndarray:
        at = self._arrivals[stamp]
        found = (cdr for _, _, cdr in self._bag.messages([self._topic], at, at + 1))
        cdr = next(cdr for cdr in found if stamp_of(cdr) == stamp)
        message = self._bag.deserialize(self._topic, cdr)
        shape = (3,) if message.encoding == "rgb8" else ()
        return message.data.reshape(message.height, message.width, *shape)

    def __iter__(self) -> Iterator[int]:
        return iter(self._arrivals)

    def __len__(self) -> int:
        return len(self._arrivals)


def read_drive(
    bag: BagReader, sends_labels: bool, restarts: Mapping[str, int], namespace: str = NAMESPACE
) -> DriveRecord:
    """What a drive recorder heard; its pictures are read from `bag` while that is open."""
    arrivals: dict[str, dict[int, int]] = defaultdict(dict)
    repeated, clock, small, status = 0, ClockHistory(None), {}, {}
    wanted = {f"{namespace}/{topic}": topic for topic in DRIVE}
    wanted |= {name: name for name in ("/clock", "/diagnostics")}
    for name, at, cdr in bag.messages(wanted.keys() & bag.topics.keys()):
        topic, stamp = wanted[name], stamp_of(cdr)
        if topic == "/clock":
            clock.tick(stamp, at)
        elif topic == "/diagnostics":
            for one in bag.deserialize(name, cdr).status:
                values = {pair.key: pair.value for pair in one.values}
                status[one.name.rsplit("/", 1)[-1]] = values
        elif stamp in arrivals[topic]:
            # What is published twice counts by its first arrival.
            repeated += 1
        else:
            arrivals[topic][stamp] = at
            if topic in (PAYLOADS, BOXES):
                small[topic, stamp] = bag.deserialize(name, cdr)

    def pictures(topic: str) -> RecordedPictures:
        return RecordedPictures(bag, f"{namespace}/{topic}", dict(sorted(arrivals[topic].items())))

    return DriveRecord(
        captured=sorted(arrivals[CAMERA_INFO]),
        payloads={s: small[PAYLOADS, s].data.tobytes() for s in sorted(arrivals[PAYLOADS])},
        sent_labels=pictures(SENT_LABELS),
        labels=pictures(LABELS),
        images=pictures(IMAGES),
        boxes={s: detections_of(small[BOXES, s]) for s in sorted(arrivals[BOXES])},
        label_arrivals=arrivals[LABELS],
        image_arrivals=arrivals[IMAGES],
        clock=clock,
        status=status,
        repeated=repeated,
        restarts=restarts,
        sends_labels=sends_labels,
    )


@dataclass(frozen=True)
class Moment:
    """One frame of the drive from end to end; None where that piece did not come through.

    seconds: since the first frame. original: uint8 [H, W, 3] at the size of work. truth: the
    source's own labels, None where it has none. air_bytes: as `rates` counts them.
    """

    seconds: float
    original: np.ndarray
    truth: np.ndarray | None
    sent: np.ndarray | None
    labels: np.ndarray | None
    image: np.ndarray | None
    boxes: Sequence[Detection]
    air_bytes: int | None


def moments(record: DriveRecord, source: Source) -> Iterator[tuple[int, Moment]]:
    """The drive frame by frame, each with its place in `record.captured`.

    Frames too small to be sent are left out.
    """
    for index, (stamp, native) in enumerate(zip(record.captured, _readable(source), strict=False)):
        try:
            frame = fit(native)
        except SemcomError:
            continue
        packed = record.payloads.get(stamp)
        moment = Moment(
            (stamp - record.captured[0]) / 1e9,
            frame.image,
            frame.labels,
            record.sent_labels.get(stamp),
            record.labels.get(stamp),
            record.images.get(stamp),
            record.boxes.get(stamp, ()),
            None if packed is None else air_bytes(packed),
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
