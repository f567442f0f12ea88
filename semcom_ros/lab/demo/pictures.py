# SPDX-License-Identifier: Apache-2.0
"""The drive as it is shown: `strip.png`, a few moments of it from the original to what the RSU
shows, one a row; and `drive.mp4`, original, received map and regenerated image side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from semcom_ros.drawing import PAPER, write
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.demo.record import Moment
from semcom_ros.lab.picture import BAR, captions, overlay, text_width, tile
from semcom_ros.labels import CLASSES

ROWS = 5
TILE = (192, 384)
"""Height and width of a tile of the strip in pixels: three quarters of the size of work."""
GAP = 4
MISSING = {
    "original": "no frame",
    "sent map": "no map sent",
    "received map": "no map received",
    "regenerated image": "no image received",
    "overlay": "nothing received",
}
"""The columns of the strip, and what stands where there is nothing to show."""
IN_VIDEO = ("original", "received map", "regenerated image")


def choose_rows(complete: Sequence[bool], rows: int = ROWS) -> list[int]:
    """Indices of at most `rows` moments spread over the drive, complete ones where there are any.

    complete: of every moment, whether all of it came through.
    """
    candidates = np.flatnonzero(complete) if any(complete) else np.arange(len(complete))
    picked = np.linspace(0, len(candidates) - 1, min(rows, len(candidates))).round().astype(int)
    return candidates[picked].tolist()


def draw_strip(moments: Sequence[Moment], map_caption: str) -> np.ndarray:
    """The moments one under the other, uint8 [H, W, 3] RGB, with captions and the classes' key.

    map_caption: what the RSU's label map is.
    """
    bar = _captions(tuple(MISSING), map_caption, TILE[1], GAP)
    gap = np.full((GAP, bar.shape[1], 3), PAPER, np.uint8)
    rows = [bar]
    for moment in moments:
        tiles = _tiles(moment, tuple(MISSING), TILE)
        write(tiles[0], f"{moment.seconds:.1f} s", 8, TILE[0] - 10)
        beside = np.full((TILE[0], GAP, 3), PAPER, np.uint8)
        spaced = [piece for one in tiles for piece in (one, beside)]
        rows += [np.concatenate(spaced[:-1], axis=1), gap]
    return np.concatenate([*rows, _key(moments, bar.shape[1])])


@contextmanager
def video(path: Path, rate_hz: float, map_caption: str) -> Iterator[Callable[[Moment], None]]:
    """An MP4 file, complete when the `with` block is left; what is yielded appends a moment."""
    # A build of FFmpeg without GPL parts has no x264; every build has MPEG-4.
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    bar = _captions(IN_VIDEO, map_caption, WORK_SIZE[1])
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream(codec, rate=Fraction(rate_hz).limit_denominator(1000))
        stream.height, stream.width = WORK_SIZE[0] + len(bar), bar.shape[1]
        stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"}
        else:
            stream.bit_rate = 4_000_000

        def add(moment: Moment) -> None:
            tiles = np.concatenate(_tiles(moment, IN_VIDEO, WORK_SIZE), axis=1)
            frame = av.VideoFrame.from_ndarray(np.concatenate([bar, tiles]), "rgb24")
            container.mux(stream.encode(frame))

        yield add
        container.mux(stream.encode())


def _captions(columns: Sequence[str], map_caption: str, width: int, gap: int = 0) -> np.ndarray:
    texts = [map_caption if column == "received map" else column for column in columns]
    return captions(texts, width, gap)


def _tiles(moment: Moment, columns: Sequence[str], size: tuple[int, int]) -> list[np.ndarray]:
    """What the columns show of a moment, uint8 [*size, 3] RGB each."""
    painted = None
    if moment.image is not None and "overlay" in columns:
        painted = overlay(moment.image, moment.labels, moment.boxes)
    contents = (moment.original, moment.sent, moment.labels, moment.image, painted)
    shown = dict(zip(MISSING, contents, strict=True))
    tiles = [tile(shown[column], *size, MISSING[column]) for column in columns]
    if moment.air_bytes is not None:
        place = columns.index("received map")
        write(tiles[place], f"{moment.air_bytes} bytes", 8, size[0] - 10)
    return tiles


def _key(moments: Sequence[Moment], width: int) -> np.ndarray:
    """A bar with a swatch and the name of every class that the maps show."""
    maps = [m for moment in moments for m in (moment.sent, moment.labels) if m is not None]
    bar = np.full((BAR, width, 3), PAPER, np.uint8)
    left = 8
    for train_id, label in enumerate(CLASSES):
        if any((m == train_id).any() for m in maps):
            bar[8 : BAR - 6, left : left + 20] = label.color
            write(bar, label.name, left + 26, BAR - 9, 0.45)
            left += 26 + text_width(label.name, 0.45) + 20
    return bar
