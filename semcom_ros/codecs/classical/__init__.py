# SPDX-License-Identifier: Apache-2.0
"""The classical link: an abbreviated JPEG, there in whole or not at all.

The picture is shrunk to a few tens of pixels a side and coded as baseline JPEG, 4:2:0, with the
standard tables. All markers up to the scan follow from size and quality, so only the coded scan
crosses, behind two bytes: the size as thirty-seconds of the frame's, and the quality.
"""

from __future__ import annotations

import cv2
import numpy as np

NAME = "classical"
VERSION = 1
PART = "image"
STEPS = 32
"""A picture's size is told in this part of the frame's."""
_MARKER_SCAN, _END_OF_IMAGE = b"\xff\xda", 2


def small_size(height: int, width: int, scale: int) -> tuple[int, int]:
    """Height and width of the picture that stands for a frame at `scale` / `STEPS`."""
    return max(1, height * scale // STEPS), max(1, width * scale // STEPS)


def split_jpeg(image: np.ndarray, quality: int) -> tuple[bytes, bytes]:
    """JPEG of `image` uint8 [H, W, 3] BGR as its markers up to the scan, and the coded scan."""
    # Chroma at half size is OpenCV's default, and older versions have no name for it.
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    marker = data.index(_MARKER_SCAN)
    scan = marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")
    return data[:scan], data[scan:-_END_OF_IMAGE]
