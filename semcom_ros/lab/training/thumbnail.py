# SPDX-License-Identifier: Apache-2.0
"""`semcom train thumbnail`: the spread of the thumbnail's coefficients, which shares out bits."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gesco.shared import THUMBNAIL_FILE
from semcom_ros.coding.thumbnail import Statistics
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.recipe import command_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train thumbnail`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / THUMBNAIL_FILE)
    parser.add_argument("--scenes", type=int, default=360, help="frames of the procedural drive")


def run(args: argparse.Namespace) -> None:
    """Measure the coefficients on CamVid train and the procedural drive; write them with a card."""
    camvid = data.read_camvid(args.camvid, "train", WORK_SIZE).images
    scenes = data.render_scenes(args.scenes, range(100, 120)).images
    statistics = Statistics.of(np.concatenate((camvid, scenes)))
    card = {
        "what": "mean and spread of the cosine coefficients of GESCO's thumbnail",
        "data": f"CamVid train ({len(camvid)} frames) and {len(scenes)} frames of the procedural "
        "drive",
        "recipe": command_line("thumbnail", args),
    }
    tensors = {"mean": statistics.mean, "log_spread": statistics.log_spread}
    weights.save(args.out, tensors, card)
    print(
        f"Wrote {args.out}: {8 * 64} bits fall on {np.count_nonzero(statistics.share(8 * 64))} "
        "coefficients."
    )
