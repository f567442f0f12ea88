# SPDX-License-Identifier: Apache-2.0
"""The fields of a payload's header as bytes: bounded, and without a schema of their own.

Integers are LEB128 (7 bits a byte, the lowest first). A text or a size that both ends know is one
byte, its place in a list; any other follows a byte of 255.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, TypeVar

from semcom_ros.errors import SemcomError

# Append only: places are wire.
WORDS = ("", "gesco", "classical", "cityscapes19", "labels", "image", "thumbnail", "jpeg2000",
         "hevc", "av1", "classes", "planes", "sqgan", "map_tokens", "image_1", "image_2", "image_3",
         "x264", "x265", "svtav1", "context", "webp", "png", "gsc", "plumb_bob", "equidistant",
         "rational_polynomial", "picture", "foreign")  # fmt: skip
SIZES = ((0, 0), (256, 512), (360, 480), (720, 960), (1024, 2048), (720, 1280), (1080, 1920),
         (480, 640), (376, 1241), (375, 1242), (370, 1224))  # fmt: skip
_OTHER = 255
_MOST_DIGITS = 10
T = TypeVar("T")


class Writer:
    """Appends fields to `data`."""

    def __init__(self) -> None:
        self.data = bytearray()

    def byte(self, value: int) -> None:
        self.data.append(value)

    def raw(self, value: bytes) -> None:
        self.data += value

    def fixed(self, form: str, value: Any) -> None:
        """A value in struct's `form`."""
        self.data += struct.pack(form, value)

    def uint(self, value: int) -> None:
        while value > 0x7F:
            self.data.append(value & 0x7F | 0x80)
            value >>= 7
        self.data.append(value)

    def text(self, value: str) -> None:
        if value in WORDS:
            self.byte(WORDS.index(value))
            return
        self.byte(_OTHER)
        self.uint(len(value.encode()))
        self.raw(value.encode())

    def size(self, height: int, width: int) -> None:
        if (height, width) in SIZES:
            self.byte(SIZES.index((height, width)))
            return
        self.byte(_OTHER)
        self.uint(height)
        self.uint(width)

    def floats(self, values: Sequence[float]) -> None:
        """In single precision; raises SemcomError for what that does not hold."""
        try:
            self.data += struct.pack(f">{len(values)}f", *values)
        except OverflowError:
            raise SemcomError("A payload's intrinsics pass single precision.") from None


class Reader:
    """Reads what `Writer` wrote; raises SemcomError for anything else."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return len(self._data) - self._at

    def raw(self, count: int) -> bytes:
        if count > self.left:
            raise SemcomError("The payload's header ends before its last field does.")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.raw(1)[0]

    def fixed(self, form: str) -> Any:
        return struct.unpack(form, self.raw(struct.calcsize(form)))[0]

    def uint(self) -> int:
        value = 0
        for digit in range(_MOST_DIGITS):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * digit
            if byte < 0x80:
                return value
        raise SemcomError("A number in the payload's header has no end.")

    def text(self) -> str:
        place = self.byte()
        if place != _OTHER:
            return self._known(WORDS, place)
        try:
            return self.raw(self.uint()).decode()
        except UnicodeDecodeError:
            raise SemcomError("A text in the payload's header is no UTF-8.") from None

    def size(self) -> tuple[int, int]:
        """Height and width."""
        place = self.byte()
        return (self.uint(), self.uint()) if place == _OTHER else self._known(SIZES, place)

    def floats(self, count: int) -> tuple[float, ...]:
        return struct.unpack(f">{count}f", self.raw(4 * count))

    def _known(self, values: Sequence[T], place: int) -> T:
        if place >= len(values):
            raise SemcomError("The payload's header names a word that this release does not know.")
        return values[place]
