# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of the classical codecs: the best picture that fits the rate."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from semcom_ros.codecs.classical import PART, Coder, LadderCoder, small_size
from semcom_ros.codecs.classical.decoder import restore
from semcom_ros.codecs.classical.jpeg import Jpeg
from semcom_ros.codecs.classical.rate_control import largest
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import MIN_PAYLOAD_BYTES, Header, Part, Payload, pack


class ImageEncoder:
    """Sends a picture, whatever it shows. A codec says which bits it sends, in `_best`."""

    uses_labels = False
    coder: Coder

    def warm_up(self) -> None:
        """Load the coder's library, by a first picture."""
        image = np.full((*WORK_SIZE, 3), 128, np.uint8)
        self.encode(Frame(image, stamp=0), MIN_PAYLOAD_BYTES, 0)

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """One part of bits, the best that fits.

        Raises SemcomError, with the least bytes needed, where not even the coarsest fits.
        """
        height, width = frame.image.shape[:2]
        name = self.coder.name
        header = Header(
            name, self.coder.version, b"", height, width, LABEL_SPACE, sequence, frame.stamp
        )
        image = np.ascontiguousarray(frame.image[:, :, ::-1])

        def size(bits: bytes) -> int:
            return len(pack(_payload(header, bits)))

        best = self._best(image, lambda bits: size(bits) <= payload_bytes)
        if best is None:
            raise SemcomError(
                f"This frame needs {size(self._coarsest(image))} bytes with codec '{name}', the "
                f"setting is {payload_bytes}: raise payload_bytes."
            )
        return _payload(header, best)

    def _best(self, image: np.ndarray, fits: Callable[[bytes], bool]) -> bytes | None:
        """The bits to send of `image` uint8 [H, W, 3] BGR, or None where none fit."""
        raise NotImplementedError

    def _coarsest(self, image: np.ndarray) -> bytes:
        """The fewest bits that this codec can make of `image`."""
        raise NotImplementedError


class LadderEncoder(ImageEncoder):
    """Climbs the coder's ladder of sizes and qualities as far as fits."""

    coder: LadderCoder

    def _best(self, image: np.ndarray, fits: Callable[[bytes], bool]) -> bytes | None:
        ladder = self.coder.ladder
        tried: dict[int, bytes] = {}

        def fits_roughly(point: int) -> bool:
            scale, quality = ladder[point]
            return fits(bytes(1 + self.coder.estimate(_shrink(image, scale), quality)))

        def fits_exactly(point: int) -> bool:
            tried[point] = self._code(image, point)
            return fits(tried[point])

        start = largest(len(ladder), fits_roughly, len(ladder) // 3)
        point = largest(len(ladder), fits_exactly, 0 if start is None else start)
        return None if point is None else tried[point]

    def _coarsest(self, image: np.ndarray) -> bytes:
        return self._code(image, 0)

    def _code(self, image: np.ndarray, point: int) -> bytes:
        scale, quality = self.coder.ladder[point]
        return bytes([scale]) + self.coder.code(_shrink(image, scale), quality)


class Encoder(ImageEncoder):
    """JPEG: of the sizes that fit, each at its best quality, the one with the highest PSNR."""

    coder = Jpeg()
    # Of the frame's size. On CamVid 128 bytes are best spent on the first, 1200 on 10.
    _SCALES = (2, 3, 4, 6, 8, 10, 12, 16)
    _QUALITIES = (1, 95)

    def _best(self, image: np.ndarray, fits: Callable[[bytes], bool]) -> bytes | None:
        pictures = [self._fit(image, scale, fits) for scale in self._SCALES]
        fitting = [bits for bits in pictures if bits is not None]
        size = image.shape[:2]
        return max(
            fitting,
            key=lambda bits: cv2.PSNR(restore(self.coder, bits, *size), image),
            default=None,
        )

    def _coarsest(self, image: np.ndarray) -> bytes:
        scale = self._SCALES[0]
        return bytes([scale]) + self.coder.code(_shrink(image, scale), self._QUALITIES[0])

    def _fit(self, image: np.ndarray, scale: int, fits: Callable[[bytes], bool]) -> bytes | None:
        """The best quality at `scale` whose bits fit, or None."""
        small = _shrink(image, scale)
        low, high = self._QUALITIES
        tried: dict[int, bytes] = {}

        def fits_at(quality: int) -> bool:
            tried[quality] = bytes([scale]) + self.coder.code(small, low + quality)
            return fits(tried[quality])

        quality = largest(high - low + 1, fits_at, (high - low) // 2)
        return None if quality is None else tried[quality]


def _payload(header: Header, bits: bytes) -> Payload:
    return Payload(header, (Part(PART, 0, bits=bits),))


def _shrink(image: np.ndarray, scale: int) -> np.ndarray:
    height, width = small_size(*image.shape[:2], scale)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
