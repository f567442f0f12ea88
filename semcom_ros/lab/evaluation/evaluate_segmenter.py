# SPDX-License-Identifier: Apache-2.0
"""`semcom eval segmenter`: intersection over union of a segmenter on a labelled drive."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from semcom_ros.lab.evaluation.labelled import labelled_frames
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.perception.segmentation import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval segmenter`."""
    parser.add_argument("--data", default="scenes:1", help="labelled frames, as camvid:DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=100, help="at most so many frames")
    parser.add_argument(
        "--exact", action="store_true", help="score all classes, not CamVid's eleven"
    )
    parser.add_argument("--weights", type=Path, help="weights other than the shipped ones")


def run(args: argparse.Namespace) -> None:
    """Print IoU by class and their mean at 256x512."""
    frames = labelled_frames(args.data, args.split, args.frames)
    segmenter = Segmenter.from_pretrained(args.weights)
    confusion = ConfusionMatrix(folded=not args.exact)
    for frame in track(frames, "segmenting"):
        confusion.add(frame.labels, *segmenter([frame.image]))
    table = Table("class", "IoU", title=f"{args.data} {args.split}")
    for name, iou in confusion.iou().items():
        table.add_row(name, f"{iou:.3f}")
    table.add_section()
    table.add_row("mean", f"{confusion.miou():.3f}")
    Console().print(table)
