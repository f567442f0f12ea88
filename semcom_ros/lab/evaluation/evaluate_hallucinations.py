# SPDX-License-Identifier: Apache-2.0
"""`semcom eval hallucinations`: whether the RSU publishes objects that its received map lacks.

Maps that lie about their street go the whole way to what is published; a generator paints what it
likes, and a video beside the map goes on to show what the map denies.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
from rich.progress import track
from rich.table import Column

from semcom_ros.channel import Channel
from semcom_ros.codecs import codec_of, create_decoder, create_encoder
from semcom_ros.datasets import Source, open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.evaluation.shared import NOTHING, frames_options, show
from semcom_ros.labels import CLASSES, SUPERCLASS, TRAIN_ID, VOID, fold
from semcom_ros.payload import PayloadError, pack
from semcom_ros.perception.backends import Perceive, create_perception
from semcom_ros.perception.detection import Detection
from semcom_ros.perception.perceive import Predictions
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Receiver
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.pipeline.transmitter import Transmitter

CODEC = "gesco"
THINGS = [one.name for one in CLASSES if one.thing]
PEOPLE = ["person", "rider"]
NOISE = {"channel": "awgn", "snr_db": 0.0, "mcs": "qpsk_1/3"}
"""One bit in six of a plane is wrong, and the coded set of classes still arrives."""
AWAY = 50
"""Frames to the other street, whose map is sent in place of this one's."""
WANTED = frozenset({"detections"})


class Case(NamedTuple):
    """A lie: what is made of labels uint8 [H, W] trainId, those of the frame `away` frames later.

    settings, link: what gesco and the channel are set to. absent: classes that the map cannot hold.
    """

    name: str
    lie: Callable[[np.ndarray], np.ndarray]
    settings: Mapping[str, str]
    link: Mapping[str, Any] = {}
    absent: Sequence[str] = ()
    away: int = 0


def cases() -> Iterator[Case]:
    """Every lie with a video beside it, and with an image that is made of it alone."""
    for picture, what in (("video", "and video"), ("none", "alone")):
        settings = {"gesco_picture": picture}
        for name, gone in (("empty road", THINGS), ("people removed", PEOPLE)):
            yield Case(f"{name} {what}", partial(without, gone), settings, absent=gone)
        yield Case(f"all person {what}", all_person, settings)
        yield Case(f"of another street {what}", np.copy, settings, away=AWAY)
    yield Case("planes in heavy noise", np.copy, {"gesco_map": "planes"}, NOISE)


def without(names: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """The map with the nearest of the other classes where those `names` were."""
    gone = np.isin(labels, [TRAIN_ID[name] for name in names])
    _, nearest = cv2.distanceTransformWithLabels(
        gone.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    filling = np.full(nearest.max() + 1, VOID, np.uint8)
    filling[nearest[~gone]] = labels[~gone]
    return filling[nearest]


def all_person(labels: np.ndarray) -> np.ndarray:
    """A map of the same size that holds nothing but person."""
    return np.full_like(labels, TRAIN_ID["person"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval hallucinations`."""
    frames_options(parser)
    parser.add_argument("--payload-bytes", type=int, default=512)


def run(args: argparse.Namespace) -> int:
    """Print a row for each lie; 1 where an object was published that nothing received bears out,
    or no frame was decoded.

    Raises SemcomError for missing frames or weights, and for frames without labels.
    """
    source = open_source(args.data, args.split)
    if args.frames < 1:
        raise SemcomError("Give --frames from 1.")
    perceive = create_perception(depth="none", device=args.device)
    found = []
    for case in cases():
        road, evidence = Road(case, perceive, args.device), Evidence(case)
        for i in track(range(min(args.frames, len(source))), case.name):
            frame = _labelled(source, i)
            other = _labelled(source, i + case.away) if case.away else frame
            lying = replace(frame, labels=case.lie(other.labels))
            evidence.add(road.drive(lying, args.payload_bytes), road.seen)
        found.append(evidence)
    show(
        f"{args.data}, {args.payload_bytes} bytes: what is published of maps that lie",
        (Column("map", no_wrap=True), "frames", "not decoded", "seen in images", "published",
         "least received", "not received", "of classes not sent"),
        map(Evidence.row, found),
        "Least received: the smallest share of a published box that was received as its class or "
        "superclass. Not received: objects without any such pixel.",
    )  # fmt: skip
    return int(any(one.invented or one.lost == one.frames for one in found))


def _labelled(source: Source, index: int) -> Frame:
    """A frame; after the last comes the first."""
    frame = fit(source[index % len(source)])
    if frame.labels is None:
        raise SemcomError(f"Frame {index} has no labels: give scenes:SEED or a labelled set.")
    return frame


class Road:
    """A vehicle, the air and an RSU, as a case has them. seen: what the detector saw last."""

    def __init__(self, case: Case, perceive: Perceive, device: str) -> None:
        ends = {"device": device, **case.settings}
        decoder = create_decoder(CODEC, **ends)
        self._transmitter = Transmitter(CODEC, create_encoder(CODEC, **ends))
        self._channel = Channel(1, **case.link)
        self._receiver = Receiver(CODEC, codec_of(CODEC), decoder.model, max_age_s=0)
        self._perceive, self._rsu = perceive, Rsu(decoder, {"detection": self._look})
        self.seen: list[Detection] = []

    def drive(self, frame: Frame, payload_bytes: int) -> Percepts | None:
        """What is known of a frame at the RSU; None where it was not decoded."""
        self.seen = []
        sent = self._transmitter.transmit(frame, payload_bytes).payload
        try:
            arrival = self._receiver.receive(pack(self._channel.transmit(sent)), frame.stamp)
        except PayloadError:
            return None
        (known,) = self._rsu.maps([arrival])
        if known.error is None:
            (known,) = self._rsu.images([arrival], [known], [WANTED])
        if known.failures:  # without a detector there would be nothing to find out
            raise known.failures[0]
        return known if known.error is None else None

    def _look(self, *batch: Any) -> list[Predictions]:
        (found,) = self._perceive(*batch)
        self.seen = found.detections or []
        return [found]


class Evidence:
    """What became of a case's frames. invented: objects published without a received pixel."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self.frames = self.lost = self.seen = self.published = self.absent = self.invented = 0
        self._least = 1.0

    def add(self, known: Percepts | None, seen: Sequence[Detection]) -> None:
        """Count one frame: what is known of it, and what was seen in its image."""
        self.frames += 1
        self.lost += known is None
        self.seen += len(seen)
        for found in (known and known.detections) or []:
            share = received_share(found, known)
            self.published += 1
            self.invented += share == 0
            self.absent += found.name in self._case.absent
            self._least = min(self._least, share)

    def row(self) -> list[str]:
        """Its line of the table."""
        counts = (self.frames, self.lost, self.seen, self.published)
        least = f"{self._least:.2f}" if self.published else NOTHING
        absent = str(self.absent) if self._case.absent else NOTHING
        return [self._case.name, *map(str, counts), least, str(self.invented), absent]


def received_share(found: Detection, known: Percepts) -> float:
    """Share of a box, pixels counted by their middles, received as its class or superclass.

    Counted here anew: `fusion`, which counts the same, is what is put to the test.
    """
    height, width = known.labels.shape
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    columns = (x >= found.left) & (x <= found.left + found.width)
    rows = (y >= found.top) & (y <= found.top + found.height)
    kind = TRAIN_ID[SUPERCLASS.get(found.name, found.name)]
    box = ((fold(known.labels) == kind) & known.support)[np.ix_(rows, columns)]
    return float(box.mean()) if box.size else 0.0
