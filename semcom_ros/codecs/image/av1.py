# SPDX-License-Identifier: Apache-2.0
"""AV1 intra by SVT-AV1 and dav1d (PyAV): one still picture, what AVIF holds without its container.

Only the frame OBU behind its header crosses. Left out are the temporal delimiter, the sequence
header (reduced to a still picture's) and the frame's OBU header: 12 or 13 bytes that follow from
the picture's size, and the 250 bytes of an AVIF file's boxes.

Quality is four times SVT-AV1's CRF, which goes by quarters to 70, the coarsest. From 63 on the
quantiser stays and SVT-AV1 leaves out ever more.

Encoding a frame of 256x512 takes 30 ms up to 512 bytes and 85 at 1024 and 1200 (120 at worst),
decoding 2.
"""

from __future__ import annotations

import os

import numpy as np

from semcom_ros.codecs.image import Coder, rungs
from semcom_ros.codecs.image import still_video as video

_DELIMITER = b"\x12\x00"
_SEQUENCE, _FRAME = 0x0A, 0x32
"""First bytes of an OBU of that type which tells its size."""
_BOXES = 250
"""Bytes of an AVIF file around its OBUs."""


def _split(image: np.ndarray, quality: int, preset: int = 5) -> tuple[bytes, bytes]:
    """Everything before the frame OBU, and what is inside of it."""
    os.environ.setdefault("SVT_LOG", "1")  # its only switch; by default it tells of every picture
    options = {
        "preset": str(preset),
        "svtav1-params": f"rc=0:crf={quality / 4:g}:avif=1:lp=1:keyint=1",
    }
    data = video.encode("libsvtav1", image, options)
    sequence = len(_DELIMITER)
    frame = sequence + 2 + data[sequence + 1]
    assert data[:sequence] == _DELIMITER and data[sequence] == _SEQUENCE and data[frame] == _FRAME
    inside = frame + 2
    while data[inside - 1] & 0x80:
        inside += 1
    return data[:frame], data[inside:]


def _restore(bits: bytes, header: bytes, height: int, width: int) -> np.ndarray | None:
    stream = header + bytes([_FRAME]) + _leb128(len(bits)) + bits
    return video.decode("libdav1d", stream, height, width)


def _leb128(value: int) -> bytes:
    groups = [value & 0x7F]
    while value := value >> 7:
        groups[-1] |= 0x80
        groups.append(value & 0x7F)
    return bytes(groups)


CODER = Coder(
    "AV1",
    _split,
    _restore,
    qualities=range(4 * 70, 4 * 4 - 1, -1),
    blank=4 * 63,
    closing=_BOXES - len(_DELIMITER),
    ladder=rungs((2, 63, 57), (4, 63, 55), (8, 62, 54), (16, 61, 52), (32, 60, 4)),
    # What SVT-AV1 needs with less of a search.
    estimate=lambda image, quality: len(_split(image, quality, preset=8)[1]),
)
