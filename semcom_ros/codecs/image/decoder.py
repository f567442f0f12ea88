# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of the classical codecs: the picture, or nothing."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from semcom_ros.codecs.image import PART, Coder, small_size
from semcom_ros.codecs.image.jpeg import Jpeg
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction


class ImageDecoder:
    """Gives back the image alone: these codecs know no labels."""

    gives_labels = False
    coder: Coder

    def __init__(self, device: str = "cpu") -> None:
        """Takes `device` as every decoder does; there is no network to run on it."""

    def warm_up(self) -> None:
        """Load the library and make the headers, by a first picture of each size."""
        for scale in self.coder.scales:
            try:
                restore(self.coder, bytes((scale, 1, 1, 1)), *WORK_SIZE)
            except PayloadError:
                continue

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield one reconstruction; raises PayloadError codec, version, malformed or lost."""
        header, coder = payload.header, self.coder
        header.expect(coder.name, coder.version, b"")
        if (header.height, header.width) != WORK_SIZE:
            raise PayloadError(
                "malformed",
                f"The payload is of a {header.height}x{header.width} frame, codec '{coder.name}' "
                f"sends {WORK_SIZE[0]}x{WORK_SIZE[1]}.",
            )
        image = restore(coder, payload.bits(PART), header.height, header.width)
        yield Reconstruction(image=np.ascontiguousarray(image[:, :, ::-1]))


class Decoder(ImageDecoder):
    """JPEG."""

    coder = Jpeg()


def restore(coder: Coder, bits: bytes, height: int, width: int) -> np.ndarray:
    """The picture in `bits` at `height` x `width`: uint8 [H, W, 3] BGR; PayloadError malformed."""
    if len(bits) < 2 or bits[0] not in coder.scales:
        raise PayloadError("malformed", "The picture's size is out of range.")
    small = coder.restore(bits[1:], *small_size(height, width, bits[0]))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
