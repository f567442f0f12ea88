# SPDX-License-Identifier: Apache-2.0
"""`semcom train map` and `semcom train thumbnail`: statistics of entropy coding.

The prior of the map coder is learned from the maps that vehicles send; the spread of the
thumbnail's coefficients shares out its bits.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gesco.shared import THUMBNAIL_FILE
from semcom_ros.coding import map_coder
from semcom_ros.coding.grids import GRIDS, pool
from semcom_ros.coding.map_prior import Prior, load_prior, save_prior, scratch
from semcom_ros.coding.thumbnail import CoefficientStatistics
from semcom_ros.datasets import open_source
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.lab.training import data
from semcom_ros.lab.training.recipe import Recipe
from semcom_ros.perception.segmentation import Segmenter

FIRST_RATE, LAST_RATE = 1500, 20
"""How fast the mixing weights follow the first and the last map."""
SCORED_GRIDS = ((256, 512), (128, 256), (64, 128), (32, 64))


class MapPrior(Recipe):
    """Learned from CamVid train, the procedural drive and more frames, scored on CamVid val.

    It has to be learned anew when the segmenter is: maps of another kind take twice the bytes.
    """

    name, what = "map", "prior of GESCO's map coder: counters and mixing weights"
    scenes = 100

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        models = "segmenter in, prior out"
        parser.add_argument("--models", type=Path, default=Path("models"), help=models)
        about = "frames without labels of this kind, as kitti:DIR or folder:DIR"
        parser.add_argument("--more", nargs="*", default=[], metavar="KIND:PLACE", help=about)
        parser.add_argument("--seed", type=int, default=0)

    def make(self) -> None:
        args = self.args
        segmenter = Segmenter.from_pretrained(args.models)
        camvid = data.read_camvid(args.camvid, "train", WORK_SIZE)
        scenes = data.render_scenes(args.scenes, range(100, 120))
        maps = [m for s in (camvid, scenes) for m in (*s.labels, *segmenter(s.images))]
        known = f"{self.frames}, true maps and the segmenter's"
        for spec in args.more:
            source = open_source(spec, "train")
            images = [fit(source[i]).image for i in range(len(source))]
            maps.extend(segmenter(images))
            known += f"; the segmenter's of {len(images)} of {Path(spec.partition(':')[2]).name}"
        card = self.described(data=f"{known}; all mirrored too")
        prior = train(maps, args.seed)
        save_prior(args.models, prior, card)

        stored, _ = load_prior(args.models)
        held_out = data.Samples(*data.read_camvid(args.camvid, "val", WORK_SIZE)[::4])
        scores: dict[str, Any] = {"on": "bytes a map, median, every fourth frame of CamVid val"}
        estimated = segmenter(held_out.images)
        for kind, maps in (("true", held_out.labels), ("estimated", estimated)):
            for grid in SCORED_GRIDS:
                sizes = [len(map_coder.encode(pool(labels, grid), stored)) for labels in maps]
                scores[f"{kind} {grid[0]}x{grid[1]}"] = float(np.median(sizes))
        save_prior(args.models, prior, card | {"scores": scores})
        print(scores)


def train(maps: Iterable[np.ndarray], seed: int = 0) -> Prior:
    """The prior that has seen `maps` (uint8 [H, W] trainId) and their mirror images, shuffled.

    One pass, each map coded before it is learned, so that the mixing weights are those that
    suit unseen maps; their rate falls by the same factor at every step.
    """
    maps = [m for labels in maps for m in (labels, np.ascontiguousarray(labels[:, ::-1]))]
    order = np.random.default_rng(seed).permutation(len(maps))
    prior = scratch()
    for step, index in enumerate(order):
        rate = round(FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / len(order)))
        for grid in GRIDS:
            map_coder.learn(pool(maps[index], grid), prior, rate)
    return prior


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
