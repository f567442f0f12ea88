# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: `open_source` opens any of the known kinds by a short text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semcom_ros.datasets.cityscapes import Cityscapes
from semcom_ros.datasets.files import Files, Source, existing
from semcom_ros.datasets.stills import CamVid, Coco, Div2k, Folder, Kitti, Voc
from semcom_ros.datasets.streams import Scenes, VideoFile
from semcom_ros.errors import SemcomError, choose
from semcom_ros.label_spaces import CITYSCAPES19, LabelSpace

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
_SPACES = {
    "camvid": "camvid11",
    "cityscapes": "cityscapes35",
    "cityscapes_sequence": "cityscapes35",
    "coco": "coco183",
    "voc": "voc21",
}
"""The label space that each kind's files are written in; all speak the nineteen as well."""
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


def open_source(
    spec: str, split: str = "val", truth: bool = False, space: LabelSpace = CITYSCAPES19
) -> Source:
    """Open the frames that `spec` names: `scenes:SEED`, `camvid:DIR`, `cityscapes:DIR`,
    `cityscapes_sequence:DIR`, `coco:DIR`, `voc:DIR`, `div2k:DIR`, `kitti:DIR`, `folder:DIR`,
    `video:FILE`, `bag:PATH` or, of a bag with several cameras, `bag:PATH#TOPIC`.

    A bare path opens what lies there: a data set known by its folders, a bag, any other folder of
    images, or a video file. `split` matters only where the data has splits. truth: of the
    procedural drive, depth and objects too, which the rest bring where they have them. space: of
    the labels; all kinds speak the nineteen, and a data set those of its own files (`_SPACES`).
    Raises SemcomError when there is nothing to open, or no labels of that space.
    """
    kind, where = _parted(spec)
    kind = choose(kind, (*_OPENERS, "scenes"), "kind of source")
    if not where:
        raise SemcomError(f"The source '{spec}' names nothing after the colon: give '{kind}:...'.")
    if space.name not in (CITYSCAPES19.name, own := _SPACES.get(kind)):
        speaks = f"{CITYSCAPES19.name} or {own}" if own else f"{CITYSCAPES19.name} alone"
        raise SemcomError(f"The labels of '{spec}' are in {speaks}, not in {space.name}.")
    if kind == "scenes":
        return Scenes(where, truth)
    source = _OPENERS[kind](where, split)
    if isinstance(source, Files):
        source.space = space
    return source


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
