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

from semcom_ros.datasets.files import Files, existing, first_size, images_in, needed
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Camera
from semcom_ros.labels import to_train_ids

CLASS_NAMES = (
    "sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence", "car",
    "person", "rider",
)  # fmt: skip
"""Cityscapes names of CamVid's classes 0 to 10; 11 is unlabelled."""
FIELD_OF_VIEW = math.radians(50)
"""Nominal: CamVid comes without intrinsics, so distances from its frames are estimates."""
HELD_OUT = (*range(13, 18), *range(34, 43), *range(72, 82), *range(109, 112), *range(122, 128))
"""Numbers of KITTI's frames that make up val: whole runs of neighbours, cut where the view changes
(matched points between neighbours at the level of chance). No network of ours learns from them."""
COCO_CLASSES = {
    1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 7: "train", 8: "truck",
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
}  # fmt: skip
"""Ids of COCO-Stuff's published list, which counts from 1; a map's pixel holds the id less one."""
VOC_CLASSES = {2: "bicycle", 6: "bus", 7: "car", 14: "motorcycle", 15: "person", 19: "train"}
_DIV2K_FOLDERS = {"train": "DIV2K_train_HR", "val": "DIV2K_valid_HR"}


class Folder(Files):
    """The images of any one folder, in the order of their names."""

    def __init__(self, where: str) -> None:
        super().__init__(f"folder:{where}", images_in(existing(where)))


class CamVid(Files):
    """`images/<split>/NAME.webp` (or png, jpg) and `labels/<split>/NAME.png`, one index a pixel.

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
        files, table = (
            images_in(root / "images" / split),
            to_train_ids(dict(enumerate(CLASS_NAMES))),
        )
        super().__init__(f"camvid:{where}", files, root / "labels" / split, table)
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
        files = images_in(needed(root / "images" / "train", layout))
        maps = needed(root / "labels" / "train", layout)
        val = [int(file.stem.split("_")[0]) in HELD_OUT for file in files]
        chosen = [file for file, held in zip(files, val, strict=True) if held == (split == "val")]
        super().__init__(f"kitti:{where}", chosen, maps, layout=layout)


class Coco(Files):
    """COCO-Stuff's `images/<split>2017/NAME.jpg` and `stuffthingmaps/<split>2017/NAME.png`, or in
    `annotations` as its own instructions unpack them; test has no labels.

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
        table = to_train_ids({i - 1: name for i, name in COCO_CLASSES.items()})
        super().__init__(f"coco:{where}", images_in(images), maps, table, layout)


class Voc(Files):
    """PASCAL VOC's segmentation images, in the order of the split's list (train, val, trainval,
    test): names in `ImageSets/Segmentation/<split>.txt`, images in `JPEGImages`, and maps with a
    palette in `SegmentationClass`, which lie in `VOCdevkit/VOC2012`.

    All but `VOC_CLASSES` is void, the background too, since what it holds is not said. A person may
    be a rider: VOC does not tell them apart. Frames of test have no labels where they were not
    published.
    """

    def __init__(self, where: str, split: str) -> None:
        root = existing(where)
        layout = "ImageSets/Segmentation/<split>.txt, JPEGImages/*.jpg and SegmentationClass/*.png"
        images = needed(root / "JPEGImages", layout)
        listed = needed(root / "ImageSets" / "Segmentation" / f"{split}.txt", layout)
        names = listed.read_text(errors="replace").split()
        if not names:
            raise SemcomError(f"The list '{listed}' is empty: it must name one image a line.")
        maps = root / "SegmentationClass"
        if split != "test":
            needed(maps, layout)
        files = [images / f"{name}.jpg" for name in names]
        strict = layout if split != "test" else ""
        super().__init__(f"voc:{where}", files, maps, to_train_ids(VOC_CLASSES), strict)


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
