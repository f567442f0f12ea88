# SPDX-License-Identifier: Apache-2.0
"""Videos of a few frames, each of which shows its number."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

WIDTH, HEIGHT = 256, 64
BITS = 8
CODECS = {"avi": "MJPG", "mpg": "MPG1", "ts": "MPG2"}


def numbered(number: int) -> np.ndarray:
    """A picture of the bits of `number`: white bars and black ones, which any codec keeps."""
    bits = [255 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bits, np.uint8), WIDTH // BITS)
    return np.repeat(np.tile(row, (HEIGHT, 1))[..., None], 3, axis=2)


def numbers(images: Iterable[np.ndarray]) -> list[int]:
    """What `numbered` pictures [H, W, 3] show."""
    centres = np.arange(BITS) * WIDTH // BITS + WIDTH // BITS // 2
    rows = [image[HEIGHT // 2, centres, 1] > 128 for image in images]
    return [int((row << np.arange(BITS)).sum()) for row in rows]


def make_video(path: Path, count: int) -> Path:
    """A video of `count` frames in the container that the name says; skips where none is made."""
    if path.suffix == ".mjpeg":
        stills = [cv2.imencode(".jpg", numbered(i))[1].tobytes() for i in range(count)]
        path.write_bytes(b"".join(stills))
        return path
    codec = cv2.VideoWriter_fourcc(*CODECS.get(path.suffix[1:], "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, 25.0, (WIDTH, HEIGHT))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV writes no {path.suffix} to test with")
    for number in range(count):
        writer.write(numbered(number))
    writer.release()
    return path
