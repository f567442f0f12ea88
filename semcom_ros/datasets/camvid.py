# SPDX-License-Identifier: Apache-2.0
"""CamVid's driving frames with their labels, brought to the Cityscapes classes.

Brostow, Fauqueur, Cipolla, "Semantic Object Classes in Video: A High-Definition Ground Truth
Database", Pattern Recognition Letters 2009. The layout read is `images/<split>/NAME.webp` (or
png, jpg) beside `labels/<split>/NAME.png`, one class index a pixel.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.datasets.source import existing, images_in, position, read_pixels, read_rgb
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame
from semcom_ros.labels import TRAIN_ID, VOID

CLASS_NAMES = (
    "sky",
    "building",
    "pole",
    "road",
    "sidewalk",
    "vegetation",
    "traffic sign",
    "fence",
    "car",
    "person",
    "rider",
)
"""Cityscapes names of CamVid's classes 0 to 10; 11 is unlabelled."""
FIELD_OF_VIEW = math.radians(50)
"""Nominal: the data comes without intrinsics, so distances from these frames are estimates."""
_TO_TRAIN_ID = np.full(256, VOID, np.uint8)
_TO_TRAIN_ID[: len(CLASS_NAMES)] = [TRAIN_ID[name] for name in CLASS_NAMES]


class CamVid:
    """One split of the data set, in the order of the names. Frames play at 10 Hz."""

    rate_hz = 10.0

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        if not (root / "images").is_dir():
            raise SemcomError(f"'{root}' has no folder 'images': it is not in CamVid's layout.")
        splits = sorted(p.name for p in (root / "images").iterdir() if p.is_dir())
        if split not in splits:
            there = ", ".join(splits) or "none"
            raise SemcomError(f"'{root}' has no split '{split}': there are {there}.")
        self.name = f"camvid:{where}"
        self._files = images_in(root / "images" / split)
        self._labels = root / "labels" / split
        height, width = self._first_size()
        focal = width / 2 / math.tan(FIELD_OF_VIEW / 2)
        self.camera = Camera(height, width, focal, focal, (width - 1) / 2, (height - 1) / 2)

    def _first_size(self) -> tuple[int, int]:
        for file in self._files:
            try:
                return read_pixels(file, cv2.IMREAD_COLOR).shape[:2]
            except SemcomError:
                continue
        raise SemcomError(f"None of the {len(self._files)} images beside '{self._files[0]}' opens.")

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size, without labels where their file is missing.

        Its stamp counts from the first frame at `rate_hz`.
        """
        index = position(index, len(self))
        file: Path = self._files[index]
        image = read_rgb(file)
        stamp = round(index * 1e9 / self.rate_hz)
        path = self._labels / f"{file.stem}.png"
        if not path.exists():
            return Frame(image, None, stamp, self.camera)
        labels = read_pixels(path, cv2.IMREAD_UNCHANGED)
        if labels.shape != image.shape[:2] or labels.dtype != np.uint8:
            raise SemcomError(f"'{path}' is no 8-bit map of one channel in the size of '{file}'.")
        return Frame(image, _TO_TRAIN_ID[labels], stamp, self.camera)
