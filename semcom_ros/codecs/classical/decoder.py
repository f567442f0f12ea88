# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of the classical codec: the picture, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from semcom_ros.codecs.classical import NAME, PART, STEPS, VERSION, small_size, split_jpeg
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction

# Follows the scan in place of an end marker: after a marker libjpeg would paint what is missing
# grey. It reads ahead of what it needs by up to the eight bytes of its bit buffer.
_TAIL = bytes(8)


class Decoder:
    """Gives back the image alone: this codec knows no labels."""

    gives_labels = False

    def __init__(self, device: str = "cpu") -> None:
        """Takes `device` as every decoder does; there is no network to run on it."""

    def warm_up(self) -> None:
        """There is nothing to prepare."""

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield one reconstruction; raises PayloadError codec, version, malformed or lost."""
        header = payload.header
        header.expect(NAME, VERSION, b"")
        if (header.height, header.width) != WORK_SIZE:
            raise PayloadError(
                "malformed",
                f"The payload is of a {header.height}x{header.width} frame, codec '{NAME}' "
                f"sends {WORK_SIZE[0]}x{WORK_SIZE[1]}.",
            )
        image = restore(payload.bits(PART), header.height, header.width)
        yield Reconstruction(image=np.ascontiguousarray(image[:, :, ::-1]))


def restore(bits: bytes, height: int, width: int) -> np.ndarray:
    """The picture in `bits` at `height` x `width`: uint8 [H, W, 3] BGR; PayloadError malformed."""
    scale, quality = bits[:2] if len(bits) > 2 else (0, 0)
    if not (1 <= scale <= STEPS and 1 <= quality <= 100):
        raise PayloadError("malformed", "The picture's size or quality is out of range.")
    scan = bits[2:]
    # In a scan 0xFF stands only before a stuffed zero: anything else would be a marker, by which
    # a picture could ask for any size or table.
    if scan.count(b"\xff") != scan.count(b"\xff\x00"):
        raise PayloadError("malformed", "There is a JPEG marker inside of the coded picture.")
    size = small_size(height, width, scale)
    markers = split_jpeg(np.zeros((*size, 3), np.uint8), quality)[0]
    small = cv2.imdecode(np.frombuffer(markers + scan + _TAIL, np.uint8), cv2.IMREAD_COLOR)
    if small is None or small.shape[:2] != size:
        raise PayloadError("malformed", "The coded picture ends before its last pixel.")
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
