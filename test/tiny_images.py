# SPDX-License-Identifier: Apache-2.0
"""Image files of a few pixels, to build data sets from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = (16, 32)


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def picture(path: Path, value: int = 90, size: tuple[int, int] = SIZE) -> Path:
    return write(path, np.full((*size, 3), value, np.uint8))
