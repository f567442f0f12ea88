# SPDX-License-Identifier: Apache-2.0
"""`semcom bench map`: milliseconds to code a label map on grids of the ladder."""

from __future__ import annotations

import argparse

from semcom_ros.coding import map_coder
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.coding.map_prior import load_prior
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.evaluation import timing
from semcom_ros.lab.evaluation.labelled import labelled_frames
from semcom_ros.weights import models_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom bench map`."""
    timing.add_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Time coder, pooling and upsampling on the true map of one labelled frame, on one core."""
    labels = labelled_frames(args.data, "val", 1)[0].labels
    prior, _ = load_prior(models_dir())
    figures, sizes = {}, {}
    for grid in GRIDS[::4]:
        name = f"{grid[0]}x{grid[1]}"
        cells = pool(labels, grid)
        code = map_coder.encode(cells, prior)
        sizes[name] = len(code)
        calls = {
            "pool": lambda grid=grid: pool(labels, grid),
            "encode": lambda cells=cells: map_coder.encode(cells, prior),
            "decode": lambda code=code, grid=grid: map_coder.decode(code, *grid, prior),
            "upsample": lambda cells=cells: upsample(cells, WORK_SIZE),
        }
        for step, call in calls.items():
            figures[f"{step} {name} ms"] = timing.measure(call, args.repeats)
    timing.report(figures, args.json, bytes=sizes)
