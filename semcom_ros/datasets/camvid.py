# SPDX-License-Identifier: Apache-2.0
"""CamVid's driving frames with their labels, brought to the Cityscapes classes.

Brostow, Fauqueur, Cipolla, "Semantic Object Classes in Video: A High-Definition Ground Truth
Database", Pattern Recognition Letters 2009. The layout read is `images/<split>/NAME.webp` (or
png, jpg) beside `labels/<split>/NAME.png`, one class index a pixel.
"""

from __future__ import annotations

import math
from pathlib import Path

from semcom_ros.datasets.files import Files, first_size, read_map
from semcom_ros.datasets.source import existing, images_in, read_rgb
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame
from semcom_ros.labels import to_train_ids

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
_TO_TRAIN_ID = to_train_ids(dict(enumerate(CLASS_NAMES)))


class CamVid(Files):
    """One split of the data set, in the order of the names. Frames play at 10 Hz.

    A frame has no labels where their file is missing.
    """

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        if not (root / "images").is_dir():
            raise SemcomError(f"'{root}' has no folder 'images': it is not in CamVid's layout.")
        splits = sorted(p.name for p in (root / "images").iterdir() if p.is_dir())
        if split not in splits:
            there = ", ".join(splits) or "none"
            raise SemcomError(f"'{root}' has no split '{split}': there are {there}.")
        super().__init__(f"camvid:{where}", images_in(root / "images" / split))
        self._labels = root / "labels" / split
        height, width = first_size(self._files)
        focal = width / 2 / math.tan(FIELD_OF_VIEW / 2)
        self.camera = Camera(height, width, focal, focal, (width - 1) / 2, (height - 1) / 2)

    def frame(self, file: Path, stamp: int) -> Frame:
        image = read_rgb(file)
        path = self._labels / f"{file.stem}.png"
        if not path.exists():
            return Frame(image, None, stamp, self.camera)
        return Frame(image, _TO_TRAIN_ID[read_map(path, image.shape[:2])], stamp, self.camera)
