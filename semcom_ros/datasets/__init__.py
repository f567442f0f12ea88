# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: `open_source` opens any of the known kinds by a short text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semcom_ros.datasets.cityscapes import Cityscapes
from semcom_ros.datasets.files import Source, existing
from semcom_ros.datasets.stills import CamVid, Coco, Div2k, Folder, Kitti, Voc
from semcom_ros.datasets.streams import Scenes, VideoFile
from semcom_ros.errors import SemcomError, choose

__all__ = ["Source", "is_bag", "open_source"]


def _bag(where: str, split: str) -> Source:
    # rosbags is needed by bags alone.
    from semcom_ros.datasets.bags.frames import Bag

    return Bag(where)


_OPENERS: dict[str, Callable[[str, str], Source]] = {
    "bag": _bag,
    "camvid": CamVid,
    "cityscapes": Cityscapes,
    "cityscapes_sequence": lambda where, split: Cityscapes(where, split, sequence=True),
    "coco": Coco,
    "div2k": Div2k,
    "folder": lambda where, split: Folder(where),
    "kitti": Kitti,
    "video": lambda where, split: VideoFile(where),
    "voc": Voc,
}
_SIGNS = {
    "leftImg8bit": "cityscapes",
    "leftImg8bit_sequence": "cityscapes_sequence",
    "images/train2017": "coco",
    "images/val2017": "coco",
    "JPEGImages": "voc",
    "DIV2K_train_HR": "div2k",
    "DIV2K_valid_HR": "div2k",
    "images/test2017": "coco",
    "images": "camvid",
    "trainannot": "camvid",
}
"""What a folder holds, and the layout that this tells; the first that fits counts."""


def open_source(spec: str, split: str = "val", truth: bool = False) -> Source:
    """Open the frames that `spec` names: `scenes:SEED`, `camvid:DIR`, `cityscapes:DIR`,
    `cityscapes_sequence:DIR`, `coco:DIR`, `voc:DIR`, `div2k:DIR`, `kitti:DIR`, `folder:DIR`,
    `video:FILE`, `bag:PATH` or, of a bag with several cameras, `bag:PATH#TOPIC`.

    A bare path opens what lies there: a data set known by its folders, a bag, any other folder of
    images, or a video file. `split` matters only where the data has splits. truth: of the
    procedural drive, depth and objects too, which the rest bring where they have them.
    Raises SemcomError when there is nothing to open.
    """
    kind, where = _parted(spec)
    kind = choose(kind, (*_OPENERS, "scenes"), "kind of source")
    if not where:
        raise SemcomError(f"The source '{spec}' names nothing after the colon: give '{kind}:...'.")
    if kind == "scenes":
        return Scenes(where, truth)
    return _OPENERS[kind](where, split)


def is_bag(spec: str) -> bool:
    """Whether `spec` names a bag, whose frames have the stamps of their recording."""
    return _parted(spec)[0] == "bag"


def _parted(spec: str) -> tuple[str, str]:
    """The kind of the source `spec` and the place that it names."""
    kind, colon, where = spec.partition(":")
    return (_kind_of(spec), spec) if not colon or Path(spec).exists() else (kind, where)


def _kind_of(spec: str) -> str:
    if spec in (*_OPENERS, "scenes"):
        raise SemcomError(f"The source '{spec}' is a kind, not a place: give '{spec}:...'.")
    path = existing(spec)
    if (path / "metadata.yaml").exists() or path.suffix in (".mcap", ".db3", ".bag"):
        return "bag"
    if path.is_file():
        return "video"
    return next((kind for sign, kind in _SIGNS.items() if (path / sign).is_dir()), "folder")
