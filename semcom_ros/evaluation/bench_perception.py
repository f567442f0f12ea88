# SPDX-License-Identifier: Apache-2.0
"""`semcom bench perception`: milliseconds to see all there is to see in a frame of 256x512."""

from __future__ import annotations

import argparse

import torch

from semcom_ros.datasets import open_source
from semcom_ros.evaluation import timing
from semcom_ros.frame import fit
from semcom_ros.perception.depth import DepthEstimator
from semcom_ros.perception.detection import Detector
from semcom_ros.perception.perceive import Perception
from semcom_ros.perception.segmentation import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench perception`."""
    timing.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Time the shipped networks on one frame: each task alone, and all of them in one pass."""
    torch.set_num_threads(args.threads)
    image = fit(open_source(args.data)[0]).image
    tasks = {
        "segmentation": Segmenter(),
        "detection": Detector(),
        "depth": DepthEstimator(),
        "all": Perception(),
    }
    figures = {
        f"{name}_ms": timing.measure(lambda task=task: task(image), args.repeats)
        for name, task in tasks.items()
    }
    timing.report(figures, args.json, threads=args.threads)
