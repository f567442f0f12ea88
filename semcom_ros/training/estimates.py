# SPDX-License-Identifier: Apache-2.0
"""Label maps as vehicles send them: the segmenter's estimates beside the truth."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter
from semcom_ros.training.data import Samples


def both_kinds(samples: Samples, segmenter: Segmenter) -> tuple[np.ndarray, np.ndarray]:
    """Truth with its void filled by estimates, and estimates alone; uint8 [N, H, W] each.

    What crosses the air is an estimate and has no void; trained on estimates of training frames
    alone, which are better than those of new streets, a network would trust them too much.
    """
    estimated = np.stack([segmenter(image) for image in samples.images])
    return np.where(samples.labels == VOID, estimated, samples.labels), estimated
