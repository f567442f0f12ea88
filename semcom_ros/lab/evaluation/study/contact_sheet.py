# SPDX-License-Identifier: Apache-2.0
"""Sheets of pictures: the original, what was sent, what arrived, what the RSU shows, the error.

Of the map received, what rests on nothing that was received is dark.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from semcom_ros.drawing import PAPER, write
from semcom_ros.lab.evaluation.study.frame_metrics import View
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.study_file import Cell, Table
from semcom_ros.lab.picture import BAR, captions, text_width, tile
from semcom_ros.labels import colorize

COLUMNS = ("original", "sent map", "received map", "regenerated", "error")
MISSING = ("", "no map sent", "no map received", "", "")
TILE = (128, 256)
"""Height and width of a tile in pixels."""
GAP = 3
MOST_LINKS = 3


def shown_links(table: Table) -> list[Link]:
    """The links with sheets: the first, the last and one between."""
    picked = np.linspace(0, len(table.links) - 1, min(MOST_LINKS, len(table.links)))
    return [table.links[i] for i in picked.round().astype(int)]


def shown_cells(table: Table, data: str) -> list[list[Cell]]:
    """A sheet for each link shown, on which is of each family the middle size, in its first
    scheme."""
    sized = [sorted(rows, key=lambda e: e.size or 0) for rows in table.families.values()]
    entries = [rows[len(rows) // 2].measured[0] for rows in sized]
    return [[Cell(table, data, e, link) for e in entries] for link in shown_links(table)]


def shown_frames(table: Table, frames: int) -> list[int]:
    """The frames on a sheet, spread over the data."""
    n = min(table.sheet, frames)
    return [int((i + 0.5) * frames / n) for i in range(n)]


def draw_strip(view: View) -> np.ndarray:
    """One frame of one cell, uint8 [128, W, 3] RGB. The error is the mean over R, G, B, white 0."""
    error = np.abs(view.image.astype(np.int16) - view.frame.image).mean(2)
    faded = np.repeat((255 - np.minimum(2 * error, 255)).astype(np.uint8)[..., None], 3, axis=2)
    outcome = view.outcome
    received, support = outcome.reconstruction.labels, outcome.reconstruction.support
    if received is not None and support is not None:
        colours = colorize(received)
        received = np.where(support[..., None], colours, colours // 3)
    contents = (view.frame.image, outcome.sent_labels, received, view.image, faded)
    tiles = [tile(c, *TILE, missing) for c, missing in zip(contents, MISSING, strict=True)]
    if outcome.bytes is not None:
        write(tiles[2], f"{outcome.bytes} bytes", 6, TILE[0] - 8, 0.4)
    if outcome.lost:
        write(tiles[3], "lost: an older frame", 6, TILE[0] - 8, 0.4)
    gap = np.full((TILE[0], GAP, 3), PAPER, np.uint8)
    return np.concatenate([piece for one in tiles for piece in (one, gap)][:-1], axis=1)


def draw_sheet(rows: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """Named strips under each other, with the columns' captions."""
    bar = captions(COLUMNS, TILE[1], GAP)
    pieces = [bar]
    for name, strip in rows:
        label = np.full((BAR, bar.shape[1], 3), PAPER, np.uint8)
        scale = min(0.5, 0.5 * bar.shape[1] / max(text_width(name) + 12, 1))
        write(label, name, 6, BAR - 9, scale)
        pieces += [label, strip]
    return np.concatenate(pieces)
