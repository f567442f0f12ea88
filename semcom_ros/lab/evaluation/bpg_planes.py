# SPDX-License-Identifier: Apache-2.0
"""Label maps as GESCO's paper stores them: one-hot planes, grey pictures that BPG codes with loss.

BPG is HEVC intra: x265 codes each plane in the strongest setting, without parameter sets, as codec
`hevc` does.
"""

from __future__ import annotations

import cv2
import numpy as np

from semcom_ros.codecs.image import header
from semcom_ros.codecs.image.hevc import CODER
from semcom_ros.errors import SemcomError

_LENGTH_BYTES = 2
_LEAST = 16
"""Rows of the smallest picture that x265 takes; smaller maps go with every cell repeated."""


def compress(cells: np.ndarray) -> bytes:
    """`cells` uint8 [h, w]: how many values there are, the values, and the plane of each behind its
    length."""
    times = max(1, _LEAST // len(cells))
    cells, present = cells.repeat(times, 0).repeat(times, 1), np.unique(cells)
    coded = bytes([len(present)]) + present.tobytes()
    for value in present:
        plane = cv2.cvtColor(np.uint8(255) * (cells == value), cv2.COLOR_GRAY2BGR)
        bits = CODER.split(plane, CODER.blank)[1]
        coded += len(bits).to_bytes(_LENGTH_BYTES, "big") + bits
    return coded


def restore(data: bytes, height: int, width: int) -> np.ndarray:
    """Cells uint8 [height, width], each the value whose plane is brightest. Raises SemcomError for
    what holds none."""
    times = max(1, _LEAST // height)
    size = height * times, width * times
    present, at, planes = np.frombuffer(data[1 : data[0] + 1], np.uint8), data[0] + 1, []
    for _ in present:
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "big")
        bits = data[at + _LENGTH_BYTES : end]
        plane = CODER.restore(bits, header(CODER, *size), *size)
        if plane is None:
            raise SemcomError(f"A plane of the map is no picture of {width}x{height}.")
        planes.append(plane[..., 1])
        at = end
    return present[np.argmax(planes, 0)][::times, ::times]
