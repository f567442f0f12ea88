# SPDX-License-Identifier: Apache-2.0
"""CRC-24A of 5G (3GPP TS 38.212 5.1): tells a receiver whether a block arrived whole."""

from __future__ import annotations

import numpy as np
from numba import njit

CRC_BITS = 24
_GENERATOR = 0x864CFB


@njit(cache=True)
def crc24(data: np.ndarray) -> int:
    """The remainder, 0 to 2^24 - 1, of `data` uint8 [n], its first bit the highest power.

    A wrong block passes with probability 2^-24.
    """
    remainder = 0
    for byte in data:
        remainder ^= np.int64(byte) << 16
        for _ in range(8):
            remainder <<= 1
            if remainder >> 24:
                remainder ^= 0x1000000 | _GENERATOR
    return remainder
