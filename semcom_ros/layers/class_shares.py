# SPDX-License-Identifier: Apache-2.0
"""What generators hear of the map: the share of every class that they know, by block."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from semcom_ros.labels import CLASSES, SUPERCLASS, TRAIN_ID

SHARES_STRIDE = 2
"""Pixels of a block, each way: small enough that a hard map's edges stay."""


class ClassShares:
    """Class shares float32 [classes, H/2, W/2] for a network whose planes stand for `classes`.

    A class that the network never saw counts as its superclass. Void and classes without one have
    no plane: their pixels carry no class shares. stride: another one than 2.
    """

    def __init__(self, classes: Sequence[int], stride: int = SHARES_STRIDE):
        self.classes, self.stride = np.array(classes, np.uint8), stride
        self.painted_as = np.arange(256, dtype=np.uint8)
        for name, superclass in SUPERCLASS.items():
            if TRAIN_ID[name] not in classes:
                self.painted_as[TRAIN_ID[name]] = TRAIN_ID[superclass]
        hit = self.painted_as[:, None] == self.classes
        self._share_of_pixel = hit.astype(np.float32) / stride**2

    def of_labels(self, labels: np.ndarray) -> np.ndarray:
        """Of a hard map uint8 [H, W] trainId."""
        s = self.stride
        parts = [labels[i::s, j::s] for i in range(s) for j in range(s)]
        shares = np.take(self._share_of_pixel, parts[0], axis=0)
        for part in parts[1:]:
            shares += np.take(self._share_of_pixel, part, axis=0)
        # A view: networks want the planes of a block side by side, as they lie here.
        return shares.transpose(2, 0, 1)

    def of_planes(self, planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Of soft planes float32 [19, h, w] by trainId, for a frame of `size` (H, W).

        Finer planes are averaged, coarser ones interpolated.
        """
        height, width = size[0] // self.stride, size[1] // self.stride
        way = cv2.INTER_AREA if planes.shape[1] > height else cv2.INTER_LINEAR
        shares = np.zeros((len(self.classes), height, width), np.float32)
        place = {int(c): i for i, c in enumerate(self.classes)}
        for train_id in range(len(CLASSES)):
            at = place.get(int(self.painted_as[train_id]))
            if at is not None and planes[train_id].any():
                shares[at] += cv2.resize(planes[train_id], (width, height), interpolation=way)
        return shares
