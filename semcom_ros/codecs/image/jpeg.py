# SPDX-License-Identifier: Apache-2.0
"""An abbreviated baseline JPEG, 4:2:0, with the standard tables.

All markers up to the scan follow from size and quality, so only the quality and the coded scan
cross: two ends that agree on libjpeg's tables need no more.
"""

from __future__ import annotations

import cv2
import numpy as np

from semcom_ros.codecs.image import STEPS
from semcom_ros.payload import PayloadError

_MARKER_SCAN, _END_OF_IMAGE = b"\xff\xda", 2
# Follows the scan in place of an end marker: after a marker libjpeg would paint what is missing
# grey. It reads ahead of what it needs by up to the eight bytes of its bit buffer.
_TAIL = bytes(8)


class Jpeg:
    """JPEG by OpenCV; a byte of quality, 1 to 100, comes first."""

    name = "classical"
    scales = tuple(range(1, STEPS + 1))
    # On CamVid 128 bytes are best spent on the first, 1200 on 10.
    sizes = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32)
    qualities = range(1, 96)

    def code(self, image: np.ndarray, quality: int) -> bytes:
        """The quality and the coded scan."""
        return bytes([quality]) + _split(image, quality)[1]

    def container_bytes(self, height: int, width: int) -> int:
        """The markers up to the scan and the one at the end."""
        markers = _split(np.zeros((height, width, 3), np.uint8), 50)[0]
        return len(markers) + _END_OF_IMAGE

    def restore(self, bits: bytes, height: int, width: int) -> np.ndarray:
        """The picture in `bits`, of this size; PayloadError malformed for anything else."""
        quality, scan = bits[0] if len(bits) > 1 else 0, bits[1:]
        if not 1 <= quality <= 100:
            raise PayloadError("malformed", "The picture's quality is out of range.")
        # In a scan 0xFF stands only before a stuffed zero: anything else would be a marker, by
        # which a picture could ask for any size or table.
        if scan.count(b"\xff") != scan.count(b"\xff\x00"):
            raise PayloadError("malformed", "There is a JPEG marker inside of the coded picture.")
        markers = _split(np.zeros((height, width, 3), np.uint8), quality)[0]
        image = cv2.imdecode(np.frombuffer(markers + scan + _TAIL, np.uint8), cv2.IMREAD_COLOR)
        if image is None or image.shape[:2] != (height, width):
            raise PayloadError("malformed", "The coded picture ends before its last pixel.")
        return image


def _split(image: np.ndarray, quality: int) -> tuple[bytes, bytes]:
    """JPEG of `image` uint8 [H, W, 3] BGR as its markers up to the scan, and the coded scan."""
    # Chroma at half size is OpenCV's default, and older versions have no name for it.
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    marker = data.index(_MARKER_SCAN)
    scan = marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")
    return data[:scan], data[scan:-_END_OF_IMAGE]
