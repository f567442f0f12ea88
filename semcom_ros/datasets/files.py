# SPDX-License-Identifier: Apache-2.0
"""Data sets of image files: one frame a file, and what lies beside a file in a known layout."""

from __future__ import annotations

import glob
from os.path import commonprefix
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.datasets.source import position, read_pixels, read_rgb
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame

_ALIKE = 3
"""Letters at the beginning of two names that make one the likely meaning of the other."""


class Files:
    """A source of one frame an image file, in the order given. Frames play at 10 Hz."""

    rate_hz = 10.0
    camera: Camera | None = None

    def __init__(self, name: str, files: list[Path]) -> None:
        self.name = name
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        index = position(index, len(self))
        return self.frame(self._files[index], round(index * 1e9 / self.rate_hz))

    def frame(self, file: Path, stamp: int) -> Frame:
        """The frame of one file; a data set adds what it knows. Raises SemcomError."""
        return Frame(read_rgb(file), stamp=stamp)


def needed(path: Path, layout: str) -> Path:
    """`path` if it exists; else raise SemcomError naming the layout and the nearest thing there."""
    if path.exists():
        return path
    raise SemcomError(
        f"There is no '{path}': the layout expected is {layout}. "
        f"The nearest that exists is {_nearest(path)}."
    )


def _nearest(path: Path) -> str:
    parent = path.parent
    while not parent.exists():
        path, parent = parent, parent.parent
    # Archives unpacked into a folder of their own, or the folder above the data set.
    deeper = sorted(parent.glob(f"*/{glob.escape(path.name)}"))
    if deeper:
        return f"'{deeper[0]}'"
    names = sorted(p.name for p in parent.iterdir()) if parent.is_dir() else []
    alike = {name: len(commonprefix([name.lower(), path.name.lower()])) for name in names}
    best = max(names, key=alike.__getitem__, default="")
    if alike.get(best, 0) >= _ALIKE:
        return f"'{parent / best}'"
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"'{parent}', which holds {some or 'nothing'}"


def read_map(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A label map file of `size` (H, W) as uint8 [H, W]: the indices, also where it has a palette.

    Raises SemcomError where it is no such map.
    """
    # OpenCV would give a palette's colours, not the indices.
    from PIL import Image

    try:
        with Image.open(path) as image:
            if image.mode in ("L", "P") and (image.height, image.width) == size:
                return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SemcomError(f"The map '{path}' cannot be read: {error}.") from error
    raise SemcomError(
        f"'{path}' is no 8-bit map of one channel in the size of its image, {size[1]}x{size[0]}."
    )


def first_size(files: list[Path]) -> tuple[int, int]:
    """Height and width of the first of `files` that opens; SemcomError where none does."""
    for file in files:
        try:
            return read_pixels(file, cv2.IMREAD_COLOR).shape[:2]
        except SemcomError:
            continue
    raise SemcomError(f"None of the {len(files)} images beside '{files[0]}' opens.")
