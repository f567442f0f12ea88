# SPDX-License-Identifier: Apache-2.0
"""A binary range coder: bits of given probability into bytes and back, in integers alone."""

from __future__ import annotations

import numpy as np

from semcom_ros.runtime import compiled


@compiled()
def start(buffer: np.ndarray, decoding: bool) -> np.ndarray:
    """A coder's state int64 [4], at the start of `buffer`: low, range, code, position."""
    coder = np.array([0, 0xFFFFFFFF, 0, 0], np.int64)
    if decoding:
        for at in range(4):
            coder[2] = (coder[2] << 8) | (buffer[at] if at < buffer.size else 0)
        coder[3] = 4
    return coder


@compiled()
def code_bit(coder: np.ndarray, buffer: np.ndarray, decoding: bool, bit: int, p: int) -> int:
    """Code one bit that is 1 with probability p / 65536; `coder`: low, range, code, position."""
    bound = (coder[1] * p) >> 16
    if decoding:
        bit = 1 if coder[2] < bound else 0
    if bit:
        coder[1] = bound
    else:
        coder[1] -= bound
        if decoding:
            coder[2] -= bound
        else:
            coder[0] += bound
    while coder[1] < 1 << 24:
        coder[1] <<= 8
        if decoding:
            byte = buffer[coder[3]] if coder[3] < buffer.size else 0
            coder[2] = ((coder[2] << 8) | byte) & 0xFFFFFFFF
            coder[3] += 1
        else:
            _put(coder, buffer)
    return bit


@compiled()
def _put(coder: np.ndarray, buffer: np.ndarray) -> None:
    """Write the top byte of `low`, carrying into the bytes before it."""
    at = coder[3] - 1
    if coder[0] >> 32:
        while buffer[at] == 255:
            buffer[at] = 0
            at -= 1
        buffer[at] += 1
    buffer[coder[3]] = (coder[0] >> 24) & 255
    coder[3] += 1
    coder[0] = (coder[0] & 0xFFFFFF) << 8


@compiled()
def finish(coder: np.ndarray, buffer: np.ndarray) -> int:
    """Write the shortest ending that still names the final interval; the reader pads zeros."""
    low, high = coder[0], coder[0] + coder[1]
    for shift in (32, 24, 16, 8, 0):
        end = ((low + (1 << shift) - 1) >> shift) << shift
        if end < high:
            break
    coder[0] = end
    for _ in range(5):
        _put(coder, buffer)
    size = coder[3]
    while size > 0 and buffer[size - 1] == 0:
        size -= 1
    return size
