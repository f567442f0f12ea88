# SPDX-License-Identifier: Apache-2.0
"""Words and boxes on pictures, uint8 [H, W, 3] RGB, which they change."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from semcom_ros.objects import Box2D

INK = (235, 235, 235)
PAPER = (24, 24, 24)
FONT = cv2.FONT_HERSHEY_DUPLEX
NAMED_AREA = 900
"""Fewest pixels of a box whose name is written at it: those of small ones would hide the rest."""


def write(picture: np.ndarray, text: str, left: int, base: int, scale: float = 0.5) -> None:
    """Write `text` with its baseline at row `base`."""
    cv2.putText(picture, text, (left, base), FONT, scale, PAPER, 3, cv2.LINE_AA)
    cv2.putText(picture, text, (left, base), FONT, scale, INK, 1, cv2.LINE_AA)


def draw_boxes(picture: np.ndarray, boxes: Iterable[tuple[str, Box2D]]) -> np.ndarray:
    """Draw each box (left, top, width, height in pixels) with its name; returns `picture`."""
    for name, (left, top, width, height) in boxes:
        x, y = round(left), round(top)
        cv2.rectangle(picture, (x, y), (round(left + width), round(top + height)), INK, 1)
        if width * height >= NAMED_AREA:
            write(picture, name, x + 2, max(y - 4, 12), 0.4)
    return picture
