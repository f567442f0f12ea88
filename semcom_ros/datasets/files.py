# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers, and the reading of files that data sets share."""

from __future__ import annotations

import glob
from os.path import commonprefix
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
IDENTITY = np.arange(256, dtype=np.uint8)
_ALIKE = 3
"""Letters at the beginning of two names that make one the likely meaning of the other."""


class Source(Protocol):
    """Frames by index, read when they are asked for.

    name: the spec that opens it. camera: intrinsics of its frames, or None where unknown.
    rate_hz: its natural rate. `source[i]` raises SemcomError for a frame that cannot be read, and
    IndexError beyond the end; the source stays usable after either.
    """

    name: str
    camera: Camera | None
    rate_hz: float

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


class Files:
    """A source of one frame an image file, in the order given. Frames play at 10 Hz.

    maps: folder of the files' label maps, NAME.png each, whose pixels `train_ids` uint8 [256] turns
    into trainIds. layout: names the files in errors where all must be there; without it a frame
    whose map is missing has no labels.
    """

    rate_hz = 10.0
    camera: Camera | None = None

    def __init__(
        self,
        name: str,
        files: list[Path],
        maps: Path | None = None,
        train_ids: np.ndarray = IDENTITY,
        layout: str = "",
    ) -> None:
        self.name = name
        self._files, self._maps, self._train_ids, self._layout = files, maps, train_ids, layout

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        index = position(index, len(self))
        return self.frame(self._files[index], round(index * 1e9 / self.rate_hz))

    def frame(self, file: Path, stamp: int) -> Frame:
        """The frame of one file. Raises SemcomError."""
        image = read_rgb(self._checked(file))
        labels = None
        if self._maps is not None:
            path = self._checked(self._maps / f"{file.stem}.png")
            if path.exists():
                labels = self._train_ids[read_map(path, image.shape[:2])]
        return Frame(image, labels, stamp, self.camera)

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
    names = sorted(p.name for p in parent.iterdir()) if parent.is_dir() else []
    alike = {name: len(commonprefix([name.lower(), path.name.lower()])) for name in names}
    best = max(names, key=alike.__getitem__, default="")
    if alike.get(best, 0) >= _ALIKE:
        return f"'{parent / best}'"
    some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"'{parent}', which holds {some or 'nothing'}"


def images_in(folder: Path) -> list[Path]:
    """The image files in `folder` by name; SemcomError where there are none."""
    if not folder.is_dir():
        raise SemcomError(f"'{folder}' is not a folder: give a folder of images.")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise SemcomError(f"The folder '{folder}' holds no images ({kinds}).")
    return files


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


def read_rgb(path: Path) -> np.ndarray:
    """The image file as uint8 [H, W, 3] RGB; SemcomError naming the file where that fails."""
    return cv2.cvtColor(read_pixels(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


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
