# SPDX-License-Identifier: Apache-2.0
"""What every source of frames offers, and the reading of files that they share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


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


def existing(path: str | Path) -> Path:
    """`path` if it exists; else raise SemcomError naming the nearest folder that does."""
    path = Path(path).expanduser()
    if path.exists():
        return path
    parent = next((p for p in path.absolute().parents if p.exists()), Path("/"))
    raise SemcomError(f"There is no '{path}': the nearest folder that exists is '{parent}'.")


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


def position(index: int, count: int) -> int:
    """`index` counted from 0, negative ones from the end; IndexError outside."""
    if not -count <= index < count:
        raise IndexError(f"frame {index} of {count}")
    return index % count
