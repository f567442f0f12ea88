# SPDX-License-Identifier: Apache-2.0
"""Folders of images, with label maps or without: data sets, or whatever lies there.

CamVid: Brostow, Fauqueur, Cipolla, "Semantic Object Classes in Video: A High-Definition Ground
Truth Database", Pattern Recognition Letters 2009. KITTI: Alhaija et al., "Augmented Reality Meets
Computer Vision", IJCV 2018. COCO-Stuff: Caesar, Uijlings, Ferrari, "COCO-Stuff: Thing and Stuff
Classes in Context", CVPR 2018. VOC: Everingham et al., "The Pascal Visual Object Classes Challenge:
A Retrospective", IJCV 2015. DIV2K: Agustsson, Timofte, "NTIRE 2017 Challenge on Single Image
Super-Resolution: Dataset and Study", CVPR Workshops 2017.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.datasets.files import (
    Files,
    existing,
    files_in,
    first_size,
    images_in,
    needed,
    read_pixels,
)
from semcom_ros.datasets.label_maps import CAMVID, COCO, TRAIN_IDS, VOC
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Camera

FIELD_OF_VIEW = math.radians(50)
"""Nominal: CamVid comes without intrinsics, so distances from its frames are estimates."""
HELD_OUT = (*range(13, 18), *range(34, 43), *range(72, 82), *range(109, 112), *range(122, 128))
"""Numbers of KITTI's frames that make up val: whole runs of neighbours, cut where the view changes
(matched points between neighbours at the level of chance). No network of ours learns from them."""
_DIV2K_FOLDERS = {"train": "DIV2K_train_HR", "val": "DIV2K_valid_HR"}


class Folder(Files):
    """The images of any one folder, in the order of their names, turned as they are to be seen."""

    turned = True

    def __init__(self, where: str) -> None:
        super().__init__(f"folder:{where}", images_in(existing(where)))


class CamVid(Files):
    """`images/<split>/NAME.webp` (or png, jpg) and `labels/<split>/NAME.png`, one index a pixel;
    or, as SegNet's copy has them, `<split>/NAME.png` and `<split>annot/NAME.png`.

    A frame has no labels where their file is missing; labels of which no one fits are an error.
    """

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        images, labels = root / "images", root / "labels" / split
        layout = "images/<split>/NAME.png and labels/<split>/NAME.png"
        if not images.is_dir() and any(root.glob("*annot/")):
            images, labels = root, root / f"{split}annot"
            layout = "<split>/NAME.png and <split>annot/NAME.png"
        if not images.is_dir():
            raise SemcomError(f"'{root}' has no folder 'images': it is not in CamVid's layout.")
        folders = (folder.name for folder in files_in(images, folders=True))
        splits = [name for name in folders if not name.endswith("annot")]
        if split not in splits:
            there = ", ".join(splits) or "none"
            raise SemcomError(f"'{root}' has no split '{split}': there are {there}.")
        files = images_in(images / split)
        if split != "test" and labels.parent.is_dir():
            needed(labels, layout)
        maps = [labels / f"{file.stem}.png" for file in files]
        if labels.is_dir() and files_in(labels) and not any(path.exists() for path in maps):
            needed(maps[0], layout)
        super().__init__(f"camvid:{where}", files, labels, CAMVID)
        height, width = first_size(files)
        focal = width / 2 / math.tan(FIELD_OF_VIEW / 2)
        self.camera = Camera(height, width, focal, focal, (width - 1) / 2, (height - 1) / 2)


class Kitti(Files):
    """KITTI's semantic benchmark: stills of Karlsruhe with all nineteen classes.

    `images/train/NUMBER_10.*` and `labels/train/NUMBER_10.png` of trainIds. split: train or val
    (`HELD_OUT`).
    """

    def __init__(self, where: str, split: str) -> None:
        if split not in ("train", "val"):
            raise SemcomError(f"'{where}' has no split '{split}': there are train, val.")
        root = Path(where).expanduser()
        layout = "images/train/NUMBER_10.png, labels/train/NUMBER_10.png"
        images = needed(root / "images" / "train", layout)
        maps = needed(root / "labels" / "train", layout)
        numbered = [(file.stem.split("_")[0], file) for file in images_in(images)]
        held = split == "val"
        files = [f for n, f in numbered if n.isdecimal() and (int(n) in HELD_OUT) == held]
        if not files:
            raise SemcomError(f"'{images}' holds no NUMBER_10.png of KITTI's {split}.")
        super().__init__(f"kitti:{where}", files, maps, TRAIN_IDS, layout)


class Coco(Files):
    """COCO-Stuff's `images/<split>2017/NAME.jpg` and `stuffthingmaps/<split>2017/NAME.png`, or in
    `annotations` as its own instructions unpack them; test has no labels. Instances, for labels in
    all 183 classes, are those of `images/<split>_inst/NAME.png`, if that folder is there.

    A class becomes the Cityscapes class that its definition lies within; every other is void, such
    as walls, which are those of rooms and houses alike. A person may be a rider: COCO does not tell
    them apart. Of traffic signs it labels stop signs alone.
    """

    def __init__(self, where: str, split: str) -> None:
        root, part = existing(where), f"{split}2017"
        layout = "images/<split>2017/*.jpg and stuffthingmaps/<split>2017/*.png"
        images, maps = needed(root / "images" / part, layout), None
        if split != "test":
            maps = root / "annotations" / part
            if (root / "stuffthingmaps" / part).is_dir() or not maps.is_dir():
                maps = needed(root / "stuffthingmaps" / part, layout)
        super().__init__(f"coco:{where}", images_in(images), maps, COCO, layout)
        self._ids = root / "images" / f"{split}_inst"

    def _instances(self, file: Path) -> np.ndarray | None:
        if not (self.space.edges and self._ids.is_dir()):
            return None
        path = self._checked(self._ids / f"{file.stem}.png")
        return read_pixels(path, cv2.IMREAD_UNCHANGED)


class Voc(Files):
    """PASCAL VOC's segmentation images, in the order of the split's list (train, val, trainval,
    test): names in `ImageSets/Segmentation/<split>.txt`, images in `JPEGImages`, and maps with a
    palette in `SegmentationClass`, which lie in `VOCdevkit/VOC2012`.

    All but six classes is void, the background too, since what it holds is not said. A person may
    be a rider: VOC does not tell them apart. Frames of test have no labels where they were not
    published, nor have those of `ImageSets/Main`, where a list such as car_val is looked for next,
    unless somebody drew them.
    """

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        layout = "ImageSets/Segmentation/<split>.txt, JPEGImages/*.jpg and SegmentationClass/*.png"
        images = needed(root / "JPEGImages", layout)
        lists, name = root / "ImageSets", f"{split}.txt"
        listed, drawn = lists / "Segmentation" / name, split != "test"
        if not listed.exists() and (lists / "Main" / name).exists():
            listed, drawn = lists / "Main" / name, False
        needed(listed, layout)
        lines = listed.read_text("utf-8-sig", "replace").splitlines()
        # The lists of one class say in a second column whether the image shows it.
        names = [line.split()[0] for line in lines if line.strip()]
        if not names:
            raise SemcomError(f"The list '{listed}' is empty: it must name one image a line.")
        maps = root / "SegmentationClass"
        if drawn:
            needed(maps, layout)
        files = [images / f"{name}.jpg" for name in names]
        super().__init__(f"voc:{where}", files, maps, VOC, layout if drawn else "")


class Div2k(Files):
    """DIV2K's high-resolution images, train or val, in the order of the numbers; no labels.

    `DIV2K_train_HR/NNNN.png` and `DIV2K_valid_HR/NNNN.png`; the low-resolution folders and files
    such as `0801x4.png` are left out.
    """

    def __init__(self, where: str, split: str) -> None:
        choose(split, _DIV2K_FOLDERS, "split of DIV2K")
        layout = "DIV2K_train_HR/NNNN.png and DIV2K_valid_HR/NNNN.png"
        folder = needed(existing(where) / _DIV2K_FOLDERS[split], layout)
        files = [file for file in images_in(folder) if file.stem.isdecimal()]
        if not files:
            raise SemcomError(f"'{folder}' holds no images named NNNN.png, as DIV2K's are.")
        super().__init__(f"div2k:{where}", files)
