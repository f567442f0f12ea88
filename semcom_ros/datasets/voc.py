# SPDX-License-Identifier: Apache-2.0
"""PASCAL VOC's segmentation images, with those of its classes that Cityscapes knows.

Everingham et al., "The Pascal Visual Object Classes Challenge: A Retrospective", IJCV 2015. The
layout read is that of `VOCdevkit/VOC2012`: names in `ImageSets/Segmentation/<split>.txt`, images in
`JPEGImages`, and maps with a palette in `SegmentationClass`.

Of the twenty classes six exist in Cityscapes: bicycle, bus, car, motorbike, person and train. All
else is void, the background too, since what it holds is not said. A person may be a rider: VOC does
not tell them apart.
"""

from __future__ import annotations

from pathlib import Path

from semcom_ros.datasets.files import Files, needed, read_map
from semcom_ros.datasets.source import existing, read_rgb
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.labels import to_train_ids

LAYOUT = "ImageSets/Segmentation/<split>.txt, JPEGImages/*.jpg and SegmentationClass/*.png"
_TO_TRAIN_ID = to_train_ids(
    {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"}
)


class Voc(Files):
    """One split (train, val, trainval, test) in the order of its list. Frames play at 10 Hz.

    Frames of test have no labels where they were not published.
    """

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        images = needed(root / "JPEGImages", LAYOUT)
        listed = needed(root / "ImageSets" / "Segmentation" / f"{split}.txt", LAYOUT)
        names = listed.read_text(errors="replace").split()
        if not names:
            raise SemcomError(f"The list '{listed}' is empty: it must name one image a line.")
        self._maps = root / "SegmentationClass"
        self._published = split != "test"
        if self._published:
            needed(self._maps, LAYOUT)
        super().__init__(f"voc:{where}", [images / f"{name}.jpg" for name in names])

    def frame(self, file: Path, stamp: int) -> Frame:
        image = read_rgb(needed(file, LAYOUT))
        path = self._maps / f"{file.stem}.png"
        if not self._published and not path.exists():
            return Frame(image, stamp=stamp)
        labels = read_map(needed(path, LAYOUT), image.shape[:2])
        return Frame(image, _TO_TRAIN_ID[labels], stamp)
