# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of the classical codec: the best JPEG that fits the rate."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from semcom_ros.codecs.classical import NAME, PART, VERSION, small_size, split_jpeg
from semcom_ros.codecs.classical.decoder import restore
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, Part, Payload, pack

# Thirty-seconds of the frame's size. On CamVid 128 bytes are best spent on the first, 1200 on 10.
_SCALES = (2, 3, 4, 6, 8, 10, 12, 16)
_QUALITIES = (1, 95)


class Encoder:
    """Sends a picture, whatever it shows."""

    uses_labels = False

    def warm_up(self) -> None:
        """There is nothing to prepare."""

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """One part of bits: of the sizes whose JPEG fits, the one with the highest PSNR.

        Raises SemcomError, with the least bytes needed, where not even the coarsest fits.
        """
        height, width = frame.image.shape[:2]
        header = Header(NAME, VERSION, b"", height, width, LABEL_SPACE, sequence, frame.stamp)
        image = np.ascontiguousarray(frame.image[:, :, ::-1])

        def size(bits: bytes) -> int:
            return len(pack(_payload(header, bits)))

        pictures = [_fit(image, s, lambda bits: size(bits) <= payload_bytes) for s in _SCALES]
        fitting = [bits for bits in pictures if bits is not None]
        if not fitting:
            least = size(_code(_shrink(image, _SCALES[0]), _SCALES[0], _QUALITIES[0]))
            raise SemcomError(
                f"This frame needs {least} bytes with codec '{NAME}', the setting is "
                f"{payload_bytes}: raise payload_bytes."
            )
        best = max(fitting, key=lambda bits: cv2.PSNR(restore(bits, height, width), image))
        return _payload(header, best)


def _payload(header: Header, bits: bytes) -> Payload:
    return Payload(header, (Part(PART, 0, bits=bits),))


def _fit(image: np.ndarray, scale: int, fits: Callable[[bytes], bool]) -> bytes | None:
    """The best quality at `scale` whose bits fit, or None."""
    small = _shrink(image, scale)
    low, high = _QUALITIES
    best = _code(small, scale, low)
    if not fits(best):
        return None
    while low <= high:
        quality = (low + high) // 2
        bits = _code(small, scale, quality)
        if fits(bits):
            best, low = bits, quality + 1
        else:
            high = quality - 1
    return best


def _shrink(image: np.ndarray, scale: int) -> np.ndarray:
    height, width = small_size(*image.shape[:2], scale)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _code(small: np.ndarray, scale: int, quality: int) -> bytes:
    return bytes((scale, quality)) + split_jpeg(small, quality)[1]
