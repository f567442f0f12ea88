# SPDX-License-Identifier: Apache-2.0
"""`semcom eval perception`: map, boxes and depth found in original and regenerated images."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.progress import track
from rich.table import Column

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.loopback import Loopback
from semcom_ros.lab.evaluation.placement import PlacementScores
from semcom_ros.lab.evaluation.shared import frames_options, number, show
from semcom_ros.lab.ground_truth import MIN_SIDES, MIN_VISIBLE, comparable, frames_with_truth
from semcom_ros.lab.metrics.calibration import MapCalibration
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.pedestrians import (
    BANDS,
    Pedestrian,
    in_map,
    look_for_pedestrians,
    miss_rate,
    sure,
)
from semcom_ros.lab.metrics.perception_scores import (
    FARTHEST,
    LOWEST,
    DepthPlausibility,
    DepthScores,
    DetectionScores,
)
from semcom_ros.perception.detection import THRESHOLD
from semcom_ros.perception.fusion import MIN_AREA, fuse, supported_labels
from semcom_ros.perception.perceive import Perception, Predictions
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.reconstruction import Reconstruction

ORIGINAL = "original"
SIZES = "128,256,512,1024"
NONE = "none"

Rows = Iterator[Sequence[str] | None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval perception`."""
    frames_options(parser, "scenes:3")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth frame")
    parser.add_argument("--weights", type=Path, help="a network other than the shipped one")
    parser.add_argument(
        "--regenerated",
        default=SIZES,
        metavar="BYTES",
        help="score images that gesco regenerates from so many bytes as well; none for no such",
    )


def run(args: argparse.Namespace) -> None:
    """Print what is found in the originals, class by class, and beside it in the regenerated.

    Raises SemcomError.
    """
    sizes = read_sizes(args.regenerated)
    perception = Perception.from_pretrained(args.weights, args.device, LOWEST)
    indices = range(0, args.frames * args.every, args.every)
    frames = frames_with_truth(args.data, args.split, indices)
    exact = all(frame.objects is not None for frame in frames)
    names = (ORIGINAL, *(f"{size} bytes" for size in sizes))
    tallies = {name: Tally(perception.names, folded=not exact) for name in names}
    loop = Loopback("gesco", args.device) if sizes else None
    label = Segmenter.from_pretrained(device=args.device) if sizes else None
    for frame in track(frames, "looking"):
        focal = frame.camera.fx if frame.camera and frame.camera.calibrated else None
        [seen] = perception([frame.image], [focal])
        sent = label([frame.image])[0] if label else seen.segmentation
        tallies[ORIGINAL].add(frame, seen, Reconstruction(labels=sent))
        for size in sizes:
            (shown,) = loop.receive([loop.send(replace(frame, labels=sent), size)])
            [seen] = perception([shown.image], [focal])
            tallies[f"{size} bytes"].add(frame, seen, shown)
    title = f"{args.data}, {len(frames)} frames"
    show(
        f"{title}: boxes",
        ("class", "objects", "AP50", "AP", "recall"),
        class_rows(tallies[ORIGINAL]),
        f"True boxes: {'exact objects' if exact else 'regions of the labels'} of at least "
        f"{MIN_SIDES[0]}x{MIN_SIDES[1]} pixels, {MIN_VISIBLE:.0%} visible.",
    )
    measured = all(tally.depth.pixels for tally in tallies.values())
    depth = ("road recedes", "sky far")
    if measured:
        depth = (f"RMSE to {FARTHEST:.0f} m", "AbsRel", "within 1.25", "unknown")
    show(
        f"{title}: original and regenerated",
        (Column("image", no_wrap=True), "mIoU", "mAP50", "mAP", "recall", *depth, "map's ECE"),
        summary_rows(tallies, measured),
        "Regenerated: by gesco, of the map that the vehicle's segmenter finds, which takes trucks "
        "and buses for cars, and bicycles for riders. ECE: of the confidence published with the "
        "received map, as the share of its pixels that are right.",
        *(() if exact else ("Pedestrians missed by distance: no distances known.",)),
    )
    if not exact:
        return
    show(
        f"{title}: errors in space",
        ("image", "objects", "distance, RMS", "median", "within 95 %"),
        placement_rows(tallies),
        "Of objects that overlap one of their class by half: of originals those detected, else "
        "those published. Within: true positions in the ellipsoid that should hold 95 % by the "
        "covariance in rsu/detections_3d.",
    )
    everyone = [p.distance for p in tallies[ORIGINAL].in_image]
    counts = [sum(near <= d < far for d in everyone) for near, far in BANDS]
    bands = (f"{a}–{b} m ({n})" for (a, b), n in zip(BANDS, counts, strict=True))
    show(
        f"{title}: share missed (of how many)",
        ("pedestrians missed", *bands),
        pedestrian_rows(tallies),
        "Missed in the image: no person detected overlaps by half. Missed in the map: no region "
        f"of persons covers half of the box. All count who are {MIN_VISIBLE:.0%} visible, "
        "however small.",
    )


def read_sizes(text: str) -> list[int]:
    """The payload sizes in `text`, as `128,256`; nothing for `none`. Raises SemcomError."""
    if text == NONE:
        return []
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise SemcomError(f"'{text}' is no list of bytes: give --regenerated 128,256 or none.")
    return list(dict.fromkeys(int(part) for part in text.split(",")))


class Tally:
    """All scores of one kind of images.

    names: classes of the detector. folded: whether the truth knows CamVid's classes alone.
    """

    def __init__(self, names: Sequence[str], folded: bool) -> None:
        self._names = names
        self.confusion = ConfusionMatrix(folded)
        self.calibration = MapCalibration(folded)
        self.detection = DetectionScores(names)
        self.depth = DepthScores()
        self.plausibility = DepthPlausibility()
        self.placement = PlacementScores()
        self.in_image: list[Pedestrian] = []
        self.in_map: list[Pedestrian] = []

    def add(self, frame: Frame, seen: Predictions, known: Reconstruction) -> None:
        """Count one frame: what is `seen` in its image, and what is `known` of its map, which has
        no confidence where nothing crossed the air."""
        self.confusion.add(frame.labels, seen.segmentation)
        self.detection.add(*comparable(frame, seen.detections, self._names))
        self.plausibility.add(frame.labels, seen.depth)
        if known.confidence is not None:
            self.calibration.add(frame.labels, known.labels, known.confidence)
        if frame.depth is not None:
            self.depth.add(frame.depth, seen.depth)
        if frame.objects is not None:
            self.in_image += look_for_pedestrians(frame, sure(seen.detections))
            self.in_map += look_for_pedestrians(frame, in_map(known.labels), covering=True)
            objects = [d for d in seen.detections if d.score >= THRESHOLD]
            labels = seen.segmentation
            if known.confidence is not None:
                objects, labels = fuse(objects, known, MIN_AREA), supported_labels(known)
            self.placement.add(frame, objects, seen.depth, labels)


def class_rows(tally: Tally) -> Rows:
    """Detection in the originals, class by class."""
    for name, s in tally.detection.compute().items():
        if name == "mean":
            yield None
        yield name, f"{s.objects}", *(number(v) for v in (s.ap50, s.ap, s.recall))


def summary_rows(tallies: Mapping[str, Tally], measured: bool) -> Rows:
    """A row for each kind of images; depth against the truth, or its plausibility without one."""
    for name, tally in tallies.items():
        boxes = tally.detection.compute().get("mean")
        found = (boxes.ap50, boxes.ap, boxes.recall) if boxes else (None,) * 3
        depth = [number(v, ".1%") for v in tally.plausibility.compute()]
        if measured:
            d = tally.depth.compute()
            depth = [f"{d['rmse']:.2f} m", number(d["absrel"])]
            depth += [number(d[what], ".1%") for what in ("delta", "missed")]
        scores = (number(v) for v in (tally.confusion.miou(), *found))
        yield name, *scores, *depth, number(tally.calibration.error())


def placement_rows(tallies: Mapping[str, Tally]) -> Rows:
    """How far from the truth detected objects are placed."""
    for name, tally in tallies.items():
        p = tally.placement.compute()
        yield name, f"{p.objects}", *(number(v, ".1%") for v in p[1:])


def pedestrian_rows(tallies: Mapping[str, Tally]) -> Rows:
    """Miss rate by band of distance, of the detections and of the map at the RSU."""
    for where in ("image", "map"):
        for name, tally in tallies.items():
            people = tally.in_image if where == "image" else tally.in_map
            label = "sent map" if (where, name) == ("map", ORIGINAL) else f"{name}, {where}"
            yield label, *(number(miss_rate(people, *band), ".1%") for band in BANDS)
        yield None
