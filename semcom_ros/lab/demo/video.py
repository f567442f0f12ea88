# SPDX-License-Identifier: Apache-2.0
"""`drive.mp4`: original, received map and regenerated image side by side at the drive's rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.picture import BAR, captions, tile, write
from semcom_ros.nodes.record import Moment

MISSING = ("no frame", "no map received", "no image received")


def draw_frame(moment: Moment, map_caption: str) -> np.ndarray:
    """One frame of the video, uint8 [H, W, 3] RGB."""
    columns = ("original", map_caption, "regenerated image")
    contents = (moment.original, moment.labels, moment.image)
    tiles = [tile(c, *WORK_SIZE, missing) for c, missing in zip(contents, MISSING, strict=True)]
    if moment.payload is not None:
        write(tiles[1], f"{len(moment.payload)} bytes", 8, WORK_SIZE[0] - 10)
    return np.concatenate([captions(columns, WORK_SIZE[1]), np.concatenate(tiles, axis=1)])


class Video:
    """An MP4 file that moments are added to; close it by leaving the `with` block."""

    def __init__(self, path: Path, rate_hz: float, map_caption: str) -> None:
        self._map_caption = map_caption
        # A build of FFmpeg without GPL parts has no x264; every build has MPEG-4.
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream(
            codec, rate=Fraction(rate_hz).limit_denominator(1000)
        )
        self._stream.height = WORK_SIZE[0] + BAR
        self._stream.width = len(MISSING) * WORK_SIZE[1]
        self._stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            self._stream.options = {"crf": "20", "preset": "veryfast"}
        else:
            self._stream.bit_rate = 4_000_000

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def add(self, moment: Moment) -> None:
        """Append one moment as one frame."""
        frame = av.VideoFrame.from_ndarray(draw_frame(moment, self._map_caption), "rgb24")
        self._container.mux(self._stream.encode(frame))
