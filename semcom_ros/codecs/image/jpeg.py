# SPDX-License-Identifier: Apache-2.0
"""An abbreviated baseline JPEG by OpenCV, 4:2:0, with the standard tables.

All markers up to the scan follow from size and quality, so only the quality, a byte of 1 to 100,
and the coded scan cross: two ends that agree on libjpeg's tables need no more.
"""

from __future__ import annotations

import cv2
import numpy as np

from semcom_ros.codecs.image import STEPS, Coder
from semcom_ros.payload import PayloadError

_MARKER_SCAN, _END_OF_IMAGE = b"\xff\xda", 2
# Follows the scan in place of an end marker: after a marker libjpeg would paint what is missing
# grey. It reads ahead of what it needs by up to the eight bytes of its bit buffer.
_TAIL = bytes(8)


def _split(image: np.ndarray, quality: int) -> tuple[bytes, bytes]:
    """The markers up to the scan; the quality and the coded scan."""
    # Chroma at half size is OpenCV's default, and older versions have no name for it.
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    marker = data.index(_MARKER_SCAN)
    scan = marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")
    return data[:scan], bytes([quality]) + data[scan:-_END_OF_IMAGE]


def _restore(bits: bytes, header: bytes, height: int, width: int) -> np.ndarray | None:
    quality, scan = bits[0] if len(bits) > 1 else 0, bits[1:]
    if not 1 <= quality <= 100:
        raise PayloadError("malformed", "The picture's quality is out of range.")
    # In a scan 0xFF stands only before a stuffed zero: anything else would be a marker, by which a
    # picture could ask for any size or table.
    if scan.count(b"\xff") != scan.count(b"\xff\x00"):
        raise PayloadError("malformed", "There is a JPEG marker inside of the coded picture.")
    markers = _split(np.zeros((height, width, 3), np.uint8), quality)[0]
    return cv2.imdecode(np.frombuffer(markers + scan + _TAIL, np.uint8), cv2.IMREAD_COLOR)


# Of the sizes, on CamVid 128 bytes are best spent on the first, 1200 on 10.
CODER = Coder("JPEG", _split, _restore, range(1, 96), 50, _END_OF_IMAGE, scales=range(1, STEPS + 1))
