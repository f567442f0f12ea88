# SPDX-License-Identifier: Apache-2.0
"""`semcom train thumbnail`: the spread of the thumbnail's coefficients, which shares out bits."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gesco.shared import THUMBNAIL_FILE
from semcom_ros.coding.thumbnail import CoefficientStatistics
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.recipe import Recipe


class ThumbnailStatistics(Recipe):
    """Measured on CamVid train and the procedural drive."""

    name = "thumbnail"
    what = "mean and spread of the cosine coefficients of GESCO's thumbnail"
    scenes = 360

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path, default=Path("models") / THUMBNAIL_FILE)

    def make(self) -> None:
        camvid = data.read_camvid(self.args.camvid, "train", WORK_SIZE).images
        scenes = data.render_scenes(self.args.scenes, range(100, 120)).images
        statistics = CoefficientStatistics.of(np.concatenate((camvid, scenes)))
        tensors = {"mean": statistics.mean, "log_spread": statistics.log_spread}
        weights.save(self.args.out, tensors, self.described())
        shared_out = np.count_nonzero(statistics.share(8 * 64))
        print(f"Wrote {self.args.out}: {8 * 64} bits fall on {shared_out} coefficients.")
