# SPDX-License-Identifier: Apache-2.0
"""COCO-Stuff's images, with those of its classes that Cityscapes knows.

Caesar, Uijlings, Ferrari, "COCO-Stuff: Thing and Stuff Classes in Context", CVPR 2018. The layout
read is `images/<split>2017/NAME.jpg` beside the stuff and thing maps `stuffthingmaps/<split>2017/
NAME.png`, or in `annotations` as COCO-Stuff's own instructions unpack them.

A class of COCO-Stuff becomes the Cityscapes class that its definition lies within; every other is
void, such as walls, which are those of rooms and houses alike. A person may be a rider: COCO does
not tell them apart. Of traffic signs it labels stop signs alone.
"""

from __future__ import annotations

from pathlib import Path

from semcom_ros.datasets.files import Files, needed, read_map
from semcom_ros.datasets.source import existing, images_in, read_rgb
from semcom_ros.frame import Frame
from semcom_ros.labels import to_train_ids

LAYOUT = "images/<split>2017/*.jpg and stuffthingmaps/<split>2017/*.png"
_CLASS_IDS = {
    1: "person",
    2: "bicycle",
    3: "car",
    4: "motorcycle",
    6: "bus",
    7: "train",
    8: "truck",
    10: "traffic light",
    13: "traffic sign",  # stop sign
    96: "building",  # building-other
    97: "vegetation",  # bush
    106: "sky",  # clouds
    113: "fence",
    124: "terrain",  # grass
    128: "building",  # house
    140: "sidewalk",  # pavement
    149: "road",
    151: "building",  # roof
    157: "sky",  # sky-other
    158: "building",  # skyscraper
    169: "vegetation",  # tree
}
"""Ids of COCO-Stuff's published list, which counts from 1; a map's pixel holds the id less one."""
_TO_TRAIN_ID = to_train_ids({i - 1: name for i, name in _CLASS_IDS.items()})
_MAPS = ("stuffthingmaps", "annotations")


class Coco(Files):
    """One split (train, val, test) in the order of the names; test has no labels. 10 Hz."""

    def __init__(self, where: str, split: str) -> None:
        root, part = existing(where), f"{split}2017"
        self._maps: Path | None = None
        images = needed(root / "images" / part, LAYOUT)
        if split != "test":
            found = (root / maps / part for maps in _MAPS if (root / maps / part).is_dir())
            self._maps = next(found, None) or needed(root / _MAPS[0] / part, LAYOUT)
        super().__init__(f"coco:{where}", images_in(images))

    def frame(self, file: Path, stamp: int) -> Frame:
        image = read_rgb(file)
        if self._maps is None:
            return Frame(image, stamp=stamp)
        path = needed(self._maps / f"{file.stem}.png", LAYOUT)
        return Frame(image, _TO_TRAIN_ID[read_map(path, image.shape[:2])], stamp)
