# SPDX-License-Identifier: Apache-2.0
"""`semcom eval segmenter`: intersection over union of a segmenter on a labelled drive."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.progress import track

from semcom_ros.lab.evaluation.shared import frames_options, labelled_frames, number, show
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.perception.segmentation import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval segmenter`."""
    frames_options(parser)
    parser.add_argument(
        "--exact", action="store_true", help="score all classes, not CamVid's eleven"
    )
    parser.add_argument("--weights", type=Path, help="weights other than the shipped ones")


def run(args: argparse.Namespace) -> None:
    """Print IoU by class and their mean at 256x512."""
    frames = labelled_frames(args)
    segmenter = Segmenter.from_pretrained(args.weights, args.device)
    confusion = ConfusionMatrix(folded=not args.exact)
    for frame in track(frames, "segmenting"):
        confusion.add(frame.labels, *segmenter([frame.image]))
    rows = [(name, number(iou)) for name, iou in confusion.iou().items()]
    mean = ("mean", number(confusion.miou()))
    show(f"{args.data} {args.split}", ("class", "IoU"), [*rows, None, mean])
