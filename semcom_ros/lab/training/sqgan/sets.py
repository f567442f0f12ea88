# SPDX-License-Identifier: Apache-2.0
"""The frames that the networks learn from and are chosen on: real and rendered streets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.perception.segmentation import Segmenter

FILES = {"map": "map.safetensors", "image": "image.safetensors", "tune": "tuned.safetensors"}
"""The weights that each stage hands on, in the folder `--work`."""
RECIPE = "semcom train sqgan --camvid DIR"
REAL = 0.75
"""Share of the samples that are CamVid's."""
TOWNS = range(100, 120)
EVERY = 12
"""Of CamVid train one frame in so many is held out."""
UNSEEN_TOWNS = range(220, 224)
"""No network of SQ-GAN and no segmenter is trained on them."""
UNSEEN_SCENES = 8
HELD_OUT = (
    f"every {EVERY}th frame of CamVid train and {UNSEEN_SCENES} frames of other towns of the "
    "procedural drive, held out of the training of these networks"
)
"""In words, for cards."""


def held_out(camvid: Path) -> data.Samples:
    """The frames that checkpoints and split are chosen on; CamVid val is left for scoring.

    The segmenters have seen those of CamVid: what they make of them orders networks, and is better
    than what they make of a new street.
    """
    real = data.read_camvid(camvid, "train", WORK_SIZE)
    drive = data.render_scenes(UNSEEN_SCENES, UNSEEN_TOWNS, step=37)
    return data.Samples(
        np.concatenate([real.images[::EVERY], drive.images]),
        np.concatenate([real.labels[::EVERY], drive.labels]),
    )


def street_sets(camvid: Path, scenes: int, segmenter: Segmenter) -> data.Sets:
    """CamVid train but for what is held out, and `scenes` frames of the procedural drive, with the
    share of each set; half of the maps are true and half estimated."""
    real = data.read_camvid(camvid, "train", WORK_SIZE)
    learned = np.arange(len(real.images)) % EVERY > 0
    sets = [
        (data.Samples(real.images[learned], real.labels[learned]), REAL),
        (data.render_scenes(scenes, TOWNS), 1 - REAL),
    ]
    return data.with_estimates(sets, segmenter)
