# SPDX-License-Identifier: Apache-2.0
"""`semcom bench perception`: milliseconds to see all there is to see in a frame of 256x512."""

from __future__ import annotations

import argparse

import torch

from semcom_ros.datasets import open_source
from semcom_ros.frame import fit
from semcom_ros.lab.evaluation import timing
from semcom_ros.perception.perceive import Perception


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench perception`."""
    timing.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Time the shipped network on one frame: all tasks, as the RSU asks for them."""
    torch.set_num_threads(args.threads)
    image = fit(open_source(args.data)[0]).image
    perception = Perception.from_pretrained()
    figures = {"all_ms": timing.measure(lambda: perception([image]), args.repeats)}
    timing.report(figures, args.json, threads=args.threads)
