# SPDX-License-Identifier: Apache-2.0
"""`semcom eval perception`: map, boxes and depth found in original and regenerated images."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.placement import PlacementScores
from semcom_ros.lab.ground_truth import MIN_SIDES, MIN_VISIBLE, comparable, frames_with_truth
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
from semcom_ros.perception.perceive import Perception, Predictions
from semcom_ros.pipeline.single import decode, encode

ORIGINAL = "original"
SIZES = "128,256,512,1024"
NONE = "none"
NOTHING = "–"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval perception`."""
    parser.add_argument("--data", default="scenes:3", help="labelled frames, as camvid:DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=100, help="at most so many frames")
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
    perception = Perception.from_pretrained(args.weights, threshold=LOWEST)
    indices = range(0, args.frames * args.every, args.every)
    frames = frames_with_truth(args.data, args.split, indices)
    exact = all(frame.objects is not None for frame in frames)
    tallies = {
        name: Tally(perception.names, folded=not exact)
        for name in (ORIGINAL, *(f"{size} bytes" for size in sizes))
    }
    link = Gesco() if sizes else None
    for index, frame in enumerate(track(frames, "looking")):
        focal = frame.camera.fx if frame.camera and frame.camera.calibrated else None
        [seen] = perception([frame.image], [focal])
        tallies[ORIGINAL].add(frame, seen, link.sent(frame) if link else seen.segmentation)
        for size in sizes:
            image, received = link(frame, size, index)
            tallies[f"{size} bytes"].add(frame, *perception([image], [focal]), received)
    console = Console()
    title = f"{args.data}, {len(frames)} frames"
    console.print(class_table(tallies[ORIGINAL], title))
    console.print(
        f"True boxes: {'exact objects' if exact else 'regions of the labels'} of at least "
        f"{MIN_SIDES[0]}x{MIN_SIDES[1]} pixels, {MIN_VISIBLE:.0%} visible."
    )
    console.print(summary_table(tallies, title))
    console.print(
        "Regenerated: by gesco, of the map that the vehicle's segmenter finds, which takes trucks "
        "and buses for cars, and bicycles for riders."
    )
    if not exact:
        console.print("Pedestrians missed by distance: no distances known.")
        return
    console.print(placement_table(tallies, title))
    console.print(
        "Of detections that overlap an object of their class by half. Within: true positions in "
        "the ellipsoid that should hold 95 % by the covariance in rsu/detections_3d."
    )
    console.print(pedestrian_table(tallies, title))
    console.print(
        "Missed in the image: no person detected overlaps by half. Missed in the map: no region "
        f"of persons covers half of the box. All count who are {MIN_VISIBLE:.0%} visible, "
        "however small."
    )


def read_sizes(text: str) -> list[int]:
    """The payload sizes in `text`, as `128,256`; nothing for `none`. Raises SemcomError."""
    if text == NONE:
        return []
    if not all(part.strip().isdecimal() for part in text.split(",")):
        raise SemcomError(f"'{text}' is no list of bytes: give --regenerated 128,256 or none.")
    return list(dict.fromkeys(int(part) for part in text.split(",")))


class Gesco:
    """A vehicle and an RSU with the codec `gesco`, and a link that loses nothing."""

    def __init__(self) -> None:
        from semcom_ros.codecs import create_decoder, create_encoder
        from semcom_ros.perception.segmentation import Segmenter

        self._segmenter = Segmenter.from_pretrained()
        self._encoder, self._decoder = create_encoder("gesco"), create_decoder("gesco")
        self._fed = Frame(np.zeros((0, 0, 3), np.uint8))

    def sent(self, frame: Frame) -> np.ndarray:
        """The map that the vehicle finds, uint8 [H, W] trainId."""
        if self._fed.image is not frame.image:
            [labels] = self._segmenter([frame.image])
            self._fed = replace(frame, labels=labels)
        return self._fed.labels

    def __call__(self, frame: Frame, size: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Send the vehicle's map in `size` bytes: the RSU's image, and its map."""
        self.sent(frame)
        payload = encode("gesco", self._encoder, self._fed, size, index)
        shown = decode("gesco", self._decoder, payload)
        return shown.image, shown.labels


class Tally:
    """All scores of one kind of images.

    names: classes of the detector. folded: whether the truth knows CamVid's classes alone.
    """

    def __init__(self, names: Sequence[str], folded: bool) -> None:
        self._names = names
        self.confusion = ConfusionMatrix(folded)
        self.detection = DetectionScores(names)
        self.depth = DepthScores()
        self.plausibility = DepthPlausibility()
        self.placement = PlacementScores()
        self.in_image: list[Pedestrian] = []
        self.in_map: list[Pedestrian] = []

    def add(self, frame: Frame, seen: Predictions, labels: np.ndarray) -> None:
        """Count one frame: what is `seen` in its image, and its map at the RSU, uint8 [H, W]."""
        self.confusion.add(frame.labels, seen.segmentation)
        self.detection.add(*comparable(frame, seen.detections, self._names))
        self.plausibility.add(frame.labels, seen.depth)
        if frame.depth is not None:
            self.depth.add(frame.depth, seen.depth)
        if frame.objects is not None:
            self.in_image += look_for_pedestrians(frame, sure(seen.detections))
            self.in_map += look_for_pedestrians(frame, in_map(labels), covering=True)
            self.placement.add(frame, seen)


def class_table(tally: Tally, title: str) -> Table:
    """Detection in the originals, class by class."""
    table = Table("class", "objects", "AP50", "AP", "recall", title=f"{title}: boxes")
    for name, s in tally.detection.compute().items():
        if name == "mean":
            table.add_section()
        table.add_row(name, f"{s.objects}", f"{s.ap50:.3f}", f"{s.ap:.3f}", f"{s.recall:.3f}")
    return table


def summary_table(tallies: Mapping[str, Tally], title: str) -> Table:
    """A row for each kind of images; depth against the truth, or its plausibility without one."""
    measured = all(tally.depth.pixels for tally in tallies.values())
    columns = ["image", "mIoU", "mAP50", "mAP", "recall"]
    if measured:
        columns += [f"RMSE to {FARTHEST:.0f} m", "AbsRel", "within 1.25", "unknown"]
    else:
        columns += ["road recedes", "sky far"]
    table = Table(*columns, title=f"{title}: original and regenerated")
    table.columns[0].no_wrap = True
    for name, tally in tallies.items():
        boxes = tally.detection.compute().get("mean")
        found = (boxes.ap50, boxes.ap, boxes.recall) if boxes else (None,) * 3
        row = [name, *(_number(v) for v in (tally.confusion.miou(), *found))]
        if measured:
            d = tally.depth.compute()
            row += [f"{d['rmse']:.2f} m", _number(d["absrel"])]
            row += [f"{d['delta']:.1%}", f"{d['missed']:.1%}"]
        else:
            row += [_share(v) for v in tally.plausibility.compute()]
        table.add_row(*row)
    return table


def placement_table(tallies: Mapping[str, Tally], title: str) -> Table:
    """How far from the truth detected objects are placed."""
    columns = ("image", "objects", "distance, RMS", "median", "within 95 %")
    table = Table(*columns, title=f"{title}: errors in space")
    for name, tally in tallies.items():
        p = tally.placement.compute()
        shares = (f"{p.distance:.1%}", f"{p.typical:.1%}", f"{p.covered:.1%}")
        table.add_row(name, f"{p.objects}", *(shares if p.objects else (NOTHING,) * 3))
    return table


def pedestrian_table(tallies: Mapping[str, Tally], title: str) -> Table:
    """Miss rate by band of distance, of the detections and of the map at the RSU."""
    everyone = tallies[ORIGINAL].in_image
    counts = [sum(near <= p.distance < far for p in everyone) for near, far in BANDS]
    columns = [f"{a}–{b} m ({n})" for (a, b), n in zip(BANDS, counts, strict=True)]
    table = Table("pedestrians missed", *columns, title=f"{title}: share missed (of how many)")
    for where in ("image", "map"):
        for name, tally in tallies.items():
            people = tally.in_image if where == "image" else tally.in_map
            label = "sent map" if (where, name) == ("map", ORIGINAL) else f"{name}, {where}"
            table.add_row(label, *(_share(miss_rate(people, *band)) for band in BANDS))
        table.add_section()
    return table


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1%}"
