# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of a picture codec: the picture, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.codecs.base import Received, Settings, attempt, load_attribute
from semcom_ros.codecs.image import PART, Coder, small_size
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction


class Decoder:
    """Gives back the image alone: these codecs know no labels. coder: "module:Class"."""

    model = b""

    def __init__(
        self,
        coder: str,
        settings: Settings | None = None,
        device: str = "cpu",
        models: Path | None = None,
    ) -> None:
        self.coder: Coder = load_attribute(coder)()
        self.settings = settings or Settings()

    def warm_up(self) -> None:
        """Load the library and make the headers, by a first picture of each size."""
        for scale in self.coder.scales:
            try:
                restore(self.coder, bytes((scale, 1, 1, 1)), *WORK_SIZE)
            except PayloadError:
                continue

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction | PayloadError]:
        """Nothing yet of each."""
        return [Reconstruction()] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray | PayloadError]:
        """The picture of each; PayloadError malformed or lost."""
        return [attempt(self._picture, received.payload) for received in batch]

    def _picture(self, payload: Payload) -> np.ndarray:
        image = restore(self.coder, payload.bits(PART), *WORK_SIZE)
        return np.ascontiguousarray(image[:, :, ::-1])


def restore(coder: Coder, bits: bytes, height: int, width: int) -> np.ndarray:
    """The picture in `bits` at `height` x `width`: uint8 [H, W, 3] BGR; PayloadError malformed."""
    if len(bits) < 2 or bits[0] not in coder.scales:
        raise PayloadError("malformed", "The picture's size is out of range.")
    small = coder.restore(bits[1:], *small_size(height, width, bits[0]))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
