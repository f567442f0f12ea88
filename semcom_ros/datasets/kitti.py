# SPDX-License-Identifier: Apache-2.0
"""KITTI's semantic benchmark: stills of Karlsruhe with nineteen classes."""

from __future__ import annotations

from pathlib import Path

from semcom_ros.datasets.files import Files, needed, read_map
from semcom_ros.datasets.source import images_in, read_rgb
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame

HELD_OUT = (*range(13, 18), *range(34, 43), *range(72, 82), *range(109, 112), *range(122, 128))
"""Numbers of the frames that make up val: whole runs of neighbours, cut where the view changes
(matched points between neighbours at the level of chance). No network of ours learns from them."""


class Kitti(Files):
    """A folder of images/train/NUMBER_10.* and labels/train/NUMBER_10.png of trainIds.

    split: train or val (`HELD_OUT`). Frames are stills.
    """

    def __init__(self, where: str, split: str) -> None:
        if split not in ("train", "val"):
            raise SemcomError(f"'{where}' has no split '{split}': there are train, val.")
        root = Path(where).expanduser()
        layout = "images/train/NUMBER_10.png, labels/train/NUMBER_10.png"
        files = images_in(needed(root / "images" / "train", layout))
        self._labels = needed(root / "labels" / "train", layout)
        held_out = split == "val"
        chosen = [f for f in files if (int(f.stem.split("_")[0]) in HELD_OUT) == held_out]
        super().__init__(f"kitti:{where}", chosen)

    def frame(self, file: Path, stamp: int) -> Frame:
        image = read_rgb(file)
        labels = read_map(self._labels / f"{file.stem}.png", image.shape[:2])
        return Frame(image, labels, stamp)
