# SPDX-License-Identifier: Apache-2.0
"""Where frames come from: `open_source` opens any of the known kinds by a short text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from semcom_ros.datasets.camvid import CamVid
from semcom_ros.datasets.folder import Folder
from semcom_ros.datasets.procedural import Scenes
from semcom_ros.datasets.source import Source, existing
from semcom_ros.datasets.video import Video
from semcom_ros.errors import SemcomError, choose

__all__ = ["Source", "open_source"]

_OPENERS: dict[str, Callable[[str, str], Source]] = {
    "camvid": CamVid,
    "folder": lambda where, split: Folder(where),
    "scenes": lambda where, split: Scenes(where),
    "video": lambda where, split: Video(where),
}


def open_source(spec: str, split: str = "val") -> Source:
    """Open the frames that `spec` names: `camvid:DIR`, `scenes:SEED`, `folder:DIR`, `video:FILE`.

    A bare path opens what lies there: a folder with `images/` in CamVid's layout, any other folder
    of images, or a video file. `split` matters only where the data has splits.
    Raises SemcomError when there is nothing to open.
    """
    kind, colon, where = spec.partition(":")
    if not colon or Path(spec).exists():
        kind, where = _kind_of(spec), spec
    kind = choose(kind, _OPENERS, "kind of source")
    if not where:
        raise SemcomError(f"The source '{spec}' names nothing after the colon: give '{kind}:...'.")
    return _OPENERS[kind](where, split)


def _kind_of(spec: str) -> str:
    if spec in _OPENERS:
        raise SemcomError(f"The source '{spec}' is a kind, not a place: give '{spec}:...'.")
    path = existing(spec)
    if path.is_file():
        return "video"
    return "camvid" if (path / "images").is_dir() else "folder"
