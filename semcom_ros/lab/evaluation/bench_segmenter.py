# SPDX-License-Identifier: Apache-2.0
"""`semcom bench segmenter`: milliseconds to label one frame of 256x512."""

from __future__ import annotations

import argparse

import torch

from semcom_ros.datasets import open_source
from semcom_ros.frame import fit
from semcom_ros.lab.evaluation import timing
from semcom_ros.perception.segmentation import Segmenter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench segmenter`."""
    timing.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Time the shipped segmenter on one frame, image in to label map out."""
    torch.set_num_threads(args.threads)
    image = fit(open_source(args.data)[0]).image
    segmenter = Segmenter.from_pretrained()
    figures = {"segment_ms": timing.measure(lambda: segmenter([image]), args.repeats)}
    timing.report(figures, args.json, threads=args.threads)
