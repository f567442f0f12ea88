# SPDX-License-Identifier: Apache-2.0
"""Tiles of one moment of a drive, captioned and put side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.drawing import FONT, PAPER, draw_boxes, write
from semcom_ros.labels import colorize, tint
from semcom_ros.perception.detection import Detection

BAR = 28
"""Height in pixels of a caption bar."""


def text_width(text: str, scale: float = 0.5) -> int:
    """Width in pixels that `write` takes."""
    return cv2.getTextSize(text, FONT, scale, 1)[0][0]


def tile(content: np.ndarray | None, height: int, width: int, missing: str) -> np.ndarray:
    """A label map [H, W] or picture [H, W, 3] as uint8 [height, width, 3] RGB.

    Where there is none, an empty tile that says `missing`.
    """
    if content is None:
        empty = np.full((height, width, 3), PAPER, np.uint8)
        write(empty, missing, (width - text_width(missing)) // 2, height // 2)
        return empty
    if content.ndim == 2:
        content = colorize(content)
    if content.shape[:2] == (height, width):
        return content.copy()
    return cv2.resize(content, (width, height), interpolation=cv2.INTER_AREA)


def captions(texts: Sequence[str], width: int, gap: int = 0) -> np.ndarray:
    """A bar with one caption over each column of `width` pixels, `gap` pixels apart."""
    bar = np.full((BAR, len(texts) * (width + gap) - gap, 3), PAPER, np.uint8)
    for column, text in enumerate(texts):
        left = column * (width + gap) + (width - text_width(text)) // 2
        write(bar, text, left, BAR - 9)
    return bar


def overlay(image: np.ndarray, labels: np.ndarray | None, boxes: Sequence[Detection]) -> np.ndarray:
    """`image` uint8 [H, W, 3] tinted with the classes of `labels` [H, W], boxes drawn."""
    painted = image.copy() if labels is None else tint(image, labels)
    return draw_boxes(painted, [(box.name, box.box) for box in boxes])


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write uint8 [H, W, 3] RGB to a PNG file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A picture that is there is whole, wherever the writing was stopped.
    draft = path.with_name(f"{path.stem}.part{path.suffix}")
    # OpenCV's own writing would not say what went wrong.
    draft.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    os.replace(draft, path)


def read_picture(path: Path) -> np.ndarray:
    """What `save_picture` wrote, uint8 [H, W, 3] RGB."""
    return cv2.imread(str(path))[..., ::-1]
