# SPDX-License-Identifier: Apache-2.0
"""The picture beside the map: a low-delay video of few pixels, for the restorer to correct.

Packets are those of x265 without start code, NAL header and parameter sets, behind one byte that
tells the size of the picture and whether it stands alone. A picture that leans on the one before is
decoded only after it, whose sequence number is one less; the map beside it needs neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.codecs.gesco.focus import focused
from semcom_ros.codecs.image.hevc import FORBIDDEN
from semcom_ros.codecs.video.low_delay import VIDEO_CODERS, StreamDecoder, StreamEncoder, VideoCoder
from semcom_ros.errors import given
from semcom_ros.frame import WORK_SIZE, Frame

SIDES = ((96, 192), (128, 256), (192, 384))
"""Height and width of the pictures."""
PRESETS = ("slow", "fast", "fast")
"""Of x265 for them: slow gains 0.3 dB, and takes 15 ms in place of 6 for the middle one."""
MOST = 9 / 10
"""Of the bytes of map and picture that a picture may take, or it is not sent, and the next one
stands alone. Most take three quarters of that; what they leave, the map takes."""
BYTES = (80, 200, 600)
"""Of the largest picture, from which each size is taken; below the first there is none."""
KEY = 0x80
HOLDS = 10
"""Frames for which the last picture's colours stand in for one that is missing."""
COARSE = (16, 32)
FULL_SHARPNESS, NO_PICTURE = 12.0, -12.0
"""What the restorer hears of a picture of full size, and of none."""


class Picture(NamedTuple):
    """pixels: [h, w, 3] RGB, uint8 or float32 in 0..1. sharpness: what the restorer hears of it."""

    pixels: np.ndarray
    sharpness: float


def sharpness(width: int) -> float:
    """Of a picture whose sides were scaled to `width` columns: 12 at full size, 4 less for each
    halving; `NO_PICTURE` and below stand for none."""
    return FULL_SHARPNESS + 4 * float(np.log2(width / WORK_SIZE[1]))


def colours_of(picture: Picture) -> np.ndarray:
    """float32 [16, 32, 3] in 0..1."""
    pixels = cv2.resize(picture.pixels, COARSE[::-1], interpolation=cv2.INTER_AREA)
    return pixels.astype(np.float32) / 255 if pixels.dtype == np.uint8 else pixels


def _layer(preset: str) -> VideoCoder:
    def options(kbps: int, gop: int, buffer: float) -> dict[str, str]:
        known = VIDEO_CODERS["x265"].options(kbps, gop, buffer)
        more = "crf=18:ctu=32:ipratio=1"
        return known | {"preset": preset, "x265-params": f"{known['x265-params']}:{more}"}

    return replace(VIDEO_CODERS["x265"], options=options)


LAYERS = tuple(map(_layer, PRESETS))
_ENDLESS = 1_000_000


def _encoder(size: int, most: float) -> StreamEncoder:
    """For pictures of hardly ever more than `most` bytes.

    With a quality out of reach and a buffer of one frame, x265 fills every frame as far as it
    foresees, and no farther. It takes its buffer in whole kbit, of which three quarters are used.
    """
    kbit = max(1, int(most / 108 + 0.5))
    frame_bytes = min(0.95 * 125 * kbit, 1.2 * most)
    height, width = SIDES[size]
    buffer = 125 * kbit / frame_bytes
    return StreamEncoder(LAYERS[size], height, width, frame_bytes, _ENDLESS, 1.01 * buffer)


@cache
def _parameter_sets(size: int) -> bytes:
    """They follow from the size alone."""
    return _encoder(size, BYTES[size]).head


def warm_up() -> None:
    """Do what the first picture of each size would wait for."""
    for size in range(len(SIDES)):
        _parameter_sets(size)


class PictureEncoder:
    """One vehicle's pictures."""

    def __init__(self) -> None:
        self._stream: StreamEncoder | None = None
        self._size, self._most = 0, 1.0

    def encode(self, frame: Frame, room: int, alone: bool) -> bytes:
        """The picture of `frame`, at the size of work, where map and picture have `room` bytes.

        What its labels have for things is sharper. alone: it must need no other. Empty where there
        is no room for one.
        """
        most = MOST * room
        if most < BYTES[0]:
            self._stream = None
            return b""
        if alone or self._stream is None or not 0.8 < most / self._most < 1.4:
            size = sum(most >= least for least in BYTES[1:])
            # Of a street so busy that it comes out too large, a smaller picture does not.
            bits = self._begin(frame, size, most, room)
            return self._begin(frame, size - 1, most, room) if size and not bits else bits
        return self._next(self._stream, frame, room)

    def _begin(self, frame: Frame, size: int, most: float, room: int) -> bytes:
        self._stream, self._size, self._most = _encoder(size, most), size, most
        return self._next(self._stream, frame, room)

    def _next(self, stream: StreamEncoder, frame: Frame, room: int) -> bytes:
        small = focused(frame.image[:, :, ::-1], given(frame.labels), SIDES[self._size])
        packet = stream.encode(small)
        bits = bytes([self._size | KEY * packet.key]) + packet.bits
        if len(bits) <= MOST * room:
            return bits
        self._stream = None
        return b""


class PictureDecoder:
    """What the RSU keeps of one vehicle's pictures.

    lacking: one that was sent could not be decoded.
    """

    def __init__(self) -> None:
        self.lacking = False
        self._stream: StreamDecoder | None = None
        self._size, self._newest = 0, -1
        self._last: Picture | None = None

    def decode(self, bits: bytes | None, sequence: int) -> Picture | None:
        """That of frame `sequence`, frames in their order.

        bits: None for one that was lost, empty for one that was not sent. Where it is missing, or
        what it leans on, the colours of the last one for `HOLDS` frames.
        """
        if sequence == self._newest:
            return self._last
        pixels = self._pixels(bits, sequence) if bits else None
        if pixels is not None:
            self._newest, self.lacking = sequence, False
            self._last = Picture(pixels, sharpness(pixels.shape[1]))
            return self._last
        self.lacking = bits != b""
        if self._last is None or not 0 < sequence - self._newest <= HOLDS:
            return None
        return Picture(colours_of(self._last), sharpness(COARSE[1]))

    def _pixels(self, bits: bytes, sequence: int) -> np.ndarray | None:
        """uint8 [h, w, 3] RGB."""
        key, size = bool(bits[0] & KEY), bits[0] & ~KEY
        if size >= len(SIDES) or any(code in bits[1:] for code in FORBIDDEN):
            return None
        if key:
            limit = 4 * SIDES[-1][0] * SIDES[-1][1]
            options = {"err_detect": "explode", "max_pixels": str(limit)}
            self._stream = StreamDecoder(LAYERS[size], _parameter_sets(size), **options)
            self._size = size
        elif self._stream is None or size != self._size or sequence != self._newest + 1:
            return None
        found = list(self._decoded(LAYERS[size].openings(b"")[not key] + bits[1:]))
        if len(found) != 1 or found[0].shape[:2] != SIDES[size]:
            self._stream = None
            return None
        return np.ascontiguousarray(found[0][:, :, ::-1])

    def _decoded(self, whole: bytes) -> Iterator[np.ndarray]:
        import av

        try:
            yield from self._stream.decode(whole) if self._stream else ()
        except av.FFmpegError:
            return
