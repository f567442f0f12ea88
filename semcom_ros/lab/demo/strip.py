# SPDX-License-Identifier: Apache-2.0
"""`strip.png`: a few moments of the drive, one a row, from the original to what the RSU shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.lab.picture import BAR, PAPER, captions, overlay, text_width, tile, write
from semcom_ros.labels import CLASSES
from semcom_ros.nodes.record import Moment

MISSING = ("no frame", "no map sent", "no map received", "no image received", "nothing received")
ROWS = 5
TILE = (192, 384)
"""Height and width of a tile in pixels: three quarters of the size of work."""
GAP = 4


def choose_rows(complete: Sequence[bool], rows: int = ROWS) -> list[int]:
    """Indices of at most `rows` moments spread over the drive, complete ones where there are any.

    complete: of every moment, whether all of it came through.
    """
    candidates = np.flatnonzero(complete) if any(complete) else np.arange(len(complete))
    picked = np.linspace(0, len(candidates) - 1, min(rows, len(candidates))).round().astype(int)
    return candidates[picked].tolist()


def draw_strip(moments: Sequence[Moment], map_caption: str) -> np.ndarray:
    """The moments one under the other, uint8 [H, W, 3] RGB, with captions and the classes' key."""
    columns = ("original", "sent map", map_caption, "regenerated image", "overlay")
    bar = captions(columns, TILE[1], GAP)
    gap = np.full((GAP, bar.shape[1], 3), PAPER, np.uint8)
    rows = [bar]
    for moment in moments:
        rows += [_row(moment), gap]
    return np.concatenate([*rows, _key(moments, bar.shape[1])])


def save_strip(path: Path, moments: Sequence[Moment], map_caption: str) -> None:
    """Write `draw_strip` to a PNG file. Raises SemcomError where it cannot be written."""
    if not cv2.imwrite(str(path), draw_strip(moments, map_caption)[..., ::-1]):
        raise SemcomError(f"The strip cannot be written to {path}: is the folder writable?")


def _row(moment: Moment) -> np.ndarray:
    painted = None
    if moment.image is not None:
        painted = overlay(moment.image, moment.labels, moment.boxes)
    contents = (moment.original, moment.sent, moment.labels, moment.image, painted)
    tiles = [tile(c, *TILE, missing) for c, missing in zip(contents, MISSING, strict=True)]
    write(tiles[0], f"{moment.seconds:.1f} s", 8, TILE[0] - 10)
    if moment.payload is not None:
        write(tiles[2], f"{len(moment.payload)} bytes", 8, TILE[0] - 10)
    gap = np.full((TILE[0], GAP, 3), PAPER, np.uint8)
    spaced = [piece for one in tiles for piece in (one, gap)]
    return np.concatenate(spaced[:-1], axis=1)


def _key(moments: Sequence[Moment], width: int) -> np.ndarray:
    """A bar with a swatch and the name of every class that the maps show."""
    maps = [m for moment in moments for m in (moment.sent, moment.labels) if m is not None]
    shown = set(np.unique(np.concatenate([np.unique(m) for m in maps]))) if maps else set()
    bar = np.full((BAR, width, 3), PAPER, np.uint8)
    left = 8
    for train_id, label in enumerate(CLASSES):
        if train_id in shown:
            bar[8 : BAR - 6, left : left + 20] = label.color
            write(bar, label.name, left + 26, BAR - 9, 0.45)
            left += 26 + text_width(label.name, 0.45) + 20
    return bar
