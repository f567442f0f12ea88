# SPDX-License-Identifier: Apache-2.0
"""One rate told the four ways that every report in the package uses."""

from __future__ import annotations

from typing import NamedTuple

from semcom_ros.codecs.base import SYMBOLS_PER_BYTE
from semcom_ros.payload import Payload, coded_bytes, unpack


class Rates(NamedTuple):
    """One rate told four ways; `str()` gives the line that reports print."""

    bytes_per_frame: int
    bits_per_pixel: float
    kbit_per_s: float
    channel_uses: int
    height: int
    width: int
    rate_hz: float

    def __str__(self) -> str:
        return (
            f"{self.bytes_per_frame} bytes a frame, "
            f"{self.bits_per_pixel:.4f} bits a pixel of {self.height}x{self.width}, "
            f"{self.kbit_per_s:.1f} kbit/s at {self.rate_hz:g} Hz, "
            f"{self.channel_uses} channel uses a frame (QPSK, rate 1/2)"
        )


def rates(n_bytes: int, height: int, width: int, rate_hz: float) -> Rates:
    """The rate of `n_bytes` a frame of `height` x `width` pixels at `rate_hz` frames a second.

    Channel uses are complex symbols: QPSK with a rate 1/2 code carries one bit in each.
    """
    bits = 8 * n_bytes
    pixels = height * width
    return Rates(n_bytes, bits / pixels, bits * rate_hz / 1e3, bits, height, width, rate_hz)


def symbols_of(payload: Payload) -> int:
    """Uncoded complex symbols in `payload`."""
    return sum(len(part.symbols) for part in payload.parts if part.symbols is not None)


def air_bytes(packed: bytes) -> int:
    """Bytes that a packed payload takes on the air: those coded, and those that would take the
    channel uses of its uncoded symbols, 8 each. Raises PayloadError."""
    payload = unpack(packed)
    return coded_bytes(payload, len(packed)) + symbols_of(payload) // SYMBOLS_PER_BYTE
