# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers, and the reading of files that data sets share."""

from __future__ import annotations

import difflib
import glob
import logging
import os
import re
from bisect import bisect
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from semcom_ros.datasets.label_maps import LabelMaps
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame
from semcom_ros.label_spaces import CITYSCAPES19

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}
_ALIKE = 0.65
"""Share of their letters from which one name is the likely meaning of another (difflib's ratio)."""
_COMPARED = 200
"""Names before and after one in a sorted folder that are compared with it: COCO's has 118,000."""


class Source(Protocol):
    """Frames by index, read when they are asked for.

    name: the spec that opens it. camera: intrinsics of its frames, or None where unknown.
    rate_hz: its natural rate. `source[i]` raises SemcomError for a frame that cannot be read, and
    IndexError beyond the end; the source stays usable after either. Who plays it goes on until the
    IndexError: `len(source)` is exact, and a video is decoded once to find it.
    """

    name: str
    camera: Camera | None
    rate_hz: float

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


class Files:
    """A source of one frame an image file, in the order given. Frames play at 10 Hz.

    maps: folder of the files' label maps, NAME.png each, which are of `kind`. layout: names the
    files in errors where all must be there; without it a frame whose map is missing has no labels.
    turned: whether images are turned as their EXIF data says; labels lie in the stored ones.
    space: of the labels that frames have; `open_source` sets it.
    """

    rate_hz = 10.0
    camera: Camera | None = None
    turned = False
    space = CITYSCAPES19

    def __init__(
        self,
        name: str,
        files: list[Path],
        maps: Path | None = None,
        kind: LabelMaps | None = None,
        layout: str = "",
    ) -> None:
        self.name = name
        self._files, self._maps, self._kind, self._layout = files, maps, kind, layout

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        index = position(index, len(self))
        return self.frame(self._files[index], round(index * 1e9 / self.rate_hz))

    def file(self, index: int) -> Path:
        """The image file of frame `index`."""
        return self._files[index]

    def frame(self, file: Path, stamp: int) -> Frame:
        """The frame of one file. Raises SemcomError."""
        image = read_rgb(self._checked(file), self.turned)
        labels = None
        if self._maps is not None and self._kind is not None:
            path = self._checked(self._maps / f"{file.stem}.png")
            if path.exists():
                labels = self._kind.read(path, image.shape[:2], self.space)
        return Frame(image, labels, stamp, self.camera, instances=self._instances(file))

    def _instances(self, file: Path) -> np.ndarray | None:
        """Ids uint16 [H, W] of what the pixels of the image `file` belong to, where the label space
        has a plane of their edges and the set a file of them."""
        return None

    def _checked(self, path: Path) -> Path:
        return needed(path, self._layout) if self._layout else path


def position(index: int, count: int) -> int:
    """`index` counted from 0, negative ones from the end; IndexError outside."""
    if not -count <= index < count:
        raise IndexError(f"frame {index} of {count}")
    return index % count


def existing(path: str | Path) -> Path:
    """`path` if it exists; else raise SemcomError naming the nearest folder that does."""
    path = Path(path).expanduser()
    if path.exists():
        return path
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    raise SemcomError(f"There is no '{path}': the nearest folder that exists is '{parent}'.")


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
    inside = parent.iterdir() if parent.is_dir() else ()
    names = sorted(p.name for p in inside if not p.name.startswith("."))
    at = bisect(names, path.name)
    near = {name.lower(): name for name in names[max(0, at - _COMPARED) : at + _COMPARED]}
    for best in difflib.get_close_matches(path.name.lower(), near, 1, _ALIKE):
        return f"'{parent / near[best]}'"
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"'{parent}', which holds {some or 'nothing'}"


def files_in(folder: Path, folders: bool = False) -> list[Path]:
    """The files in `folder`, or its folders, with the numbers in their names as numbers: 2 before
    10. What is hidden is left out, as macOS's `._*`."""
    with os.scandir(folder) as entries:
        shown = (entry for entry in entries if not entry.name.startswith("."))
        names = [e.name for e in shown if (e.is_dir() if folders else e.is_file())]
    return [folder / name for name in sorted(names, key=_natural)]


def _natural(name: str) -> tuple[list[str | int], str]:
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def images_in(folder: Path) -> list[Path]:
    """The image files in `folder`, as `files_in` sorts them; SemcomError where there are none.

    Other kinds of file are left out and named in the log.
    """
    if not folder.is_dir():
        raise SemcomError(f"'{folder}' is not a folder: give a folder of images.")
    files = files_in(folder)
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    kinds = ", ".join(sorted(IMAGE_SUFFIXES))
    if not images:
        raise SemcomError(f"The folder '{folder}' holds no images ({kinds}).")
    if len(images) < len(files):
        others = {f.suffix.lower() or f.name for f in files} - IMAGE_SUFFIXES
        logging.getLogger(__name__).warning(
            f"Left out {len(files) - len(images)} of the {len(files)} files in '{folder}' "
            f"({', '.join(sorted(others)[:5])}): images are {kinds}."
        )
    return images


def read_pixels(path: Path, flags: int) -> np.ndarray:
    """The file decoded as `cv2.imread` does; SemcomError naming the file where that fails."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        pixels = cv2.imdecode(data, flags) if data.size else None
    except (OSError, cv2.error) as error:
        raise SemcomError(f"The image '{path}' cannot be read: {error}.") from error
    if pixels is None:
        raise SemcomError(f"The image '{path}' is cut short, damaged or no image: replace it.")
    return pixels


def read_rgb(path: Path, turned: bool = False) -> np.ndarray:
    """The image file as uint8 [H, W, 3] RGB, 16 bits scaled to 8; turned: as its EXIF data says.

    Raises SemcomError naming the file where that fails.
    """
    flags = cv2.IMREAD_COLOR | (0 if turned else cv2.IMREAD_IGNORE_ORIENTATION)
    return cv2.cvtColor(read_pixels(path, flags), cv2.COLOR_BGR2RGB)


def first_size(files: list[Path]) -> tuple[int, int]:
    """Stored height and width of the first of `files` that opens; SemcomError where none does."""
    for file in files:
        try:
            return read_rgb(file).shape[:2]
        except SemcomError:
            continue
    raise SemcomError(f"None of the {len(files)} images beside '{files[0]}' opens.")
