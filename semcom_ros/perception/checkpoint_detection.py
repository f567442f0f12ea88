# SPDX-License-Identifier: Apache-2.0
"""Object detection with a `transformers` checkpoint."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import NAMES, VOID
from semcom_ros.perception.checkpoints import Checkpoint
from semcom_ros.perception.class_names import train_ids
from semcom_ros.perception.detection import MOST, THRESHOLD, Detection


class CheckpointDetector:
    """Image uint8 [H, W, 3] RGB -> detections by falling score, at most `detection.MOST`.

    name: folder or hub id of a network of the DETR family (DETR, Conditional and Deformable DETR,
    RT-DETR, YOLOS). threshold: least score, 0 to 1. What is no thing of the label space is left
    out. Raises SemcomError when it cannot be loaded or knows no such thing.
    """

    def __init__(self, name: str, device: str = "cpu", threshold: float = THRESHOLD):
        self.threshold = threshold
        self._checkpoint = Checkpoint(name, "detection", device)
        table = train_ids(self._checkpoint.names, name, things=True)
        self._names = {i: NAMES[t] for i, t in enumerate(table) if t != VOID}

    @property
    def names(self) -> list[str]:
        """The classes that it detects."""
        return [name for name in NAMES if name in self._names.values()]

    def __call__(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        found = self._checkpoint(image, threshold=self.threshold)
        edges = found["boxes"].cpu().numpy().astype(np.float64)
        edges = edges.clip(0, [width, height, width, height])
        detections = [
            Detection(self._names[kind], score, left, top, right - left, bottom - top)
            for kind, score, (left, top, right, bottom) in zip(
                found["labels"].tolist(), found["scores"].tolist(), edges.tolist(), strict=True
            )
            if kind in self._names and right > left and bottom > top
        ]
        return sorted(detections, key=lambda d: -d.score)[:MOST]
