# SPDX-License-Identifier: Apache-2.0
"""`semcom eval perception`: segmentation, boxes and depth of the shipped networks on a drive."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from semcom_ros.evaluation.metrics import ConfusionMatrix
from semcom_ros.evaluation.perception_scores import FARTHEST, LOWEST, DepthScores, DetectionScores
from semcom_ros.perception.ground_truth import MIN_SIDES, MIN_VISIBLE, boxes_of, frames_with_truth
from semcom_ros.perception.perceive import Perception


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom eval perception`."""
    parser.add_argument("--data", default="scenes:3", help="labelled frames, as camvid:DIR")
    parser.add_argument("--split", default="val")
    parser.add_argument("--frames", type=int, default=100, help="at most so many frames")
    parser.add_argument("--every", type=int, default=1, help="take every so manieth frame")
    parser.add_argument("--weights", type=Path, help="heads other than the shipped ones")


def run(args: argparse.Namespace) -> None:
    """Print the scores of the detections by class, of the segmentation and of the depth."""
    perception = Perception(args.weights, threshold=LOWEST)
    indices = range(0, args.frames * args.every, args.every)
    frames = frames_with_truth(args.data, args.split, indices)
    detection, depth, confusion = (
        DetectionScores(perception.names),
        DepthScores(),
        ConfusionMatrix(),
    )
    for frame in track(frames, "looking"):
        focal = frame.camera.fx if frame.camera else None
        seen = perception(frame.image, focal)
        confusion.add(frame.labels, seen.segmentation)
        detection.add(boxes_of(frame, perception.names), seen.detections)
        if frame.depth is not None:
            depth.add(frame.depth, seen.depth)

    table = Table(
        "class", "objects", "AP50", "AP", "recall", title=f"{args.data}, {len(frames)} frames"
    )
    for name, scores in detection.compute().items():
        if name == "mean":
            table.add_section()
        table.add_row(
            name,
            f"{scores.objects}",
            f"{scores.ap50:.3f}",
            f"{scores.ap:.3f}",
            f"{scores.recall:.3f}",
        )
    console = Console()
    console.print(table)
    exact = all(frame.objects is not None for frame in frames)
    console.print(
        f"True boxes: {'exact objects' if exact else 'regions of the labels'} of at least "
        f"{MIN_SIDES[0]}x{MIN_SIDES[1]} pixels, {MIN_VISIBLE:.0%} visible."
    )
    console.print(f"segmentation mIoU {confusion.miou():.3f}")
    if depth.pixels:
        found = depth.compute()
        console.print(
            f"depth to {FARTHEST:.0f} m: AbsRel {found['absrel']:.3f}, RMSE {found['rmse']:.2f} m, "
            f"within a factor of 1.25 {found['delta']:.1%}, no estimate {found['missed']:.1%}"
        )
