# SPDX-License-Identifier: Apache-2.0
"""The frames that the networks learn from: real and rendered, with true and with estimated maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.training import data

REAL = 0.75
"""Share of the samples that are CamVid's."""
TOWNS = range(100, 120)


def street_sets(
    camvid: Path, scenes: int, segmenter: Segmenter
) -> list[tuple[data.Samples, float]]:
    """CamVid train and `scenes` frames of the procedural drive, with the share of each set.

    Half of the maps are true, their void filled by the estimate, and half estimated, as those that
    vehicles send are.
    """
    sets = []
    for share, samples in (
        (REAL, data.read_camvid(camvid, "train", WORK_SIZE)),
        (1 - REAL, data.render_scenes(scenes, TOWNS)),
    ):
        estimated = np.stack([segmenter(image) for image in samples.images])
        filled = np.where(samples.labels == VOID, estimated, samples.labels)
        sets.append((data.Samples(samples.images, filled), share / 2))
        sets.append((data.Samples(samples.images, estimated), share / 2))
    return sets
