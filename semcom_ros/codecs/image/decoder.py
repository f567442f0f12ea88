# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of a picture codec: the picture, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Any

import cv2
import numpy as np

from semcom_ros.codecs.base import CodecEnd, Received
from semcom_ros.codecs.batches import attempt
from semcom_ros.codecs.image import PART, Coder, header, small_size
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction


class Decoder(CodecEnd):
    """Gives back the image alone: these codecs know no labels. coder: "module:attribute"."""

    def __init__(self, coder: str, **end: Any) -> None:
        super().__init__(**end)
        self.coder: Coder = resolve_name(coder)

    def warm_up(self) -> None:
        """Load the library and make the headers, by a first picture of each size."""
        for scale in self.coder.scales:
            attempt(restore, self.coder, bytes((scale, 1, 1, 1)), *WORK_SIZE)

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction | PayloadError]:
        """Nothing yet of each."""
        return [Reconstruction()] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray | PayloadError]:
        """The picture of each; PayloadError malformed or lost."""
        return [attempt(self.picture, received.payload) for received in batch]

    def picture(self, payload: Payload) -> np.ndarray:
        """uint8 [H, W, 3] RGB. Raises PayloadError malformed or lost."""
        image = restore(self.coder, payload.bits(PART), *WORK_SIZE)
        return np.ascontiguousarray(image[:, :, ::-1])


def restore(coder: Coder, bits: bytes, height: int, width: int) -> np.ndarray:
    """The picture in `bits` at `height` x `width`: uint8 [H, W, 3] BGR; PayloadError malformed."""
    if len(bits) < 2 or bits[0] not in coder.scales:
        raise PayloadError("malformed", "The picture's size is out of range.")
    size = small_size(height, width, bits[0])
    small = coder.restore(bits[1:], header(coder, *size), *size)
    if small is None or small.shape[:2] != size:
        sentence = f"The coded bits hold no {coder.standard} picture of their size, or end in it."
        raise PayloadError("malformed", sentence)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
