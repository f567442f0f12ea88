# SPDX-License-Identifier: Apache-2.0
"""Semantic segmentation with a `transformers` checkpoint."""

from __future__ import annotations

import numpy as np

from semcom_ros.perception.checkpoints import Checkpoint
from semcom_ros.perception.class_names import train_ids


class CheckpointSegmenter:
    """Image uint8 [H, W, 3] RGB -> labels uint8 [H, W] trainId, 255 where it is no class of ours.

    name: folder or hub id of a semantic or universal segmentation network (SegFormer, UperNet,
    BEiT, Mask2Former, MaskFormer). Raises SemcomError when it cannot be loaded or no class of it
    is one of the label space.
    """

    def __init__(self, name: str, device: str = "cpu"):
        self._checkpoint = Checkpoint(name, "segmentation", device)
        self._table = train_ids(self._checkpoint.names, name)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        classes = self._checkpoint(image)
        return self._table[classes.cpu().numpy()]
