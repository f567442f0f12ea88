# SPDX-License-Identifier: Apache-2.0
"""The fields of a payload's header as bytes: bounded, and without a schema of their own.

Integers are LEB128 (7 bits a byte, the lowest first). A text or a size that both ends know is one
byte, its place in a list; any other follows a byte of 255.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from semcom_ros.errors import SemcomError

# Append only: places are wire.
WORDS = ("", "gesco", "classical", "cityscapes19", "labels", "image", "thumbnail", "jpeg2000",
         "hevc", "av1", "classes", "planes", "sqgan", "map_tokens", "image_1", "image_2", "image_3",
         "x264", "x265", "svtav1", "context", "webp", "png", "gsc", "plumb_bob", "equidistant",
         "rational_polynomial", "picture", "foreign", "symbols_1", "symbols_2", "symbols_3",
         "symbols_4", "image reconstruction", "image segmentation")  # fmt: skip
SIZES = ((0, 0), (256, 512), (360, 480), (720, 960), (1024, 2048), (720, 1280), (1080, 1920),
         (480, 640), (376, 1241), (375, 1242), (370, 1224))  # fmt: skip
_WORD_PLACES = {word: place for place, word in enumerate(WORDS)}
_SIZE_PLACES = {size: place for place, size in enumerate(SIZES)}
_OTHER = 255
_MOST_DIGITS = 10
T = TypeVar("T")


class Wire:
    """Fields one after the other: appended to `data` or, where that is given, read from it.

    A field takes the value to write, and gives it back; while reading it takes none that counts,
    and gives what is there. Raises SemcomError for what is no such field.
    """

    def __init__(self, data: bytes | None = None) -> None:
        self.data = bytearray(data or b"")
        self._reading, self._at = data is not None, 0

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return len(self.data) - self._at

    def raw(self, value: bytes, count: int) -> bytes:
        """`count` bytes."""
        if not self._reading:
            self.data += value
            return value
        if count > self.left:
            raise SemcomError("The payload's header ends before its last field does.")
        self._at += count
        return bytes(self.data[self._at - count : self._at])

    def fixed(self, form: str, *values: Any) -> tuple[Any, ...]:
        """Values in struct's `form`."""
        try:
            packed = b"" if self._reading else struct.pack(form, *values)
        except OverflowError:
            raise SemcomError("A payload's intrinsics pass single precision.") from None
        return struct.unpack(form, self.raw(packed, struct.calcsize(form)))

    def byte(self, value: int = 0) -> int:
        if self._reading:
            return self.raw(b"", 1)[0]
        self.data.append(value)
        return value

    def uint(self, value: int = 0) -> int:
        if not self._reading and value < 0x80:
            return self.byte(value)
        found = 0
        for place in range(0, 7 * _MOST_DIGITS, 7):
            more = 0x80 if value >> place > 0x7F else 0
            digit = self.byte(value >> place & 0x7F | more)
            found |= (digit & 0x7F) << place
            if digit < 0x80:
                return found
        raise SemcomError("A number in the payload's header has no end.")

    def text(self, value: str = "") -> str:
        known = self._place(value, WORDS, _WORD_PLACES)
        if known is not None:
            return known
        data = value.encode()
        try:
            return self.raw(data, self.uint(len(data))).decode()
        except UnicodeDecodeError:
            raise SemcomError("A text in the payload's header is no UTF-8.") from None

    def size(self, value: tuple[int, int] = (0, 0)) -> tuple[int, int]:
        """Height and width."""
        return self._place(value, SIZES, _SIZE_PLACES) or (self.uint(value[0]), self.uint(value[1]))

    def _place(self, value: T, values: Sequence[T], places: Mapping[T, int]) -> T | None:
        """The value, by its place among those that both ends know; None where it is another."""
        place = self.byte(places.get(value, _OTHER))
        if place == _OTHER:
            return None
        if place >= len(values):
            raise SemcomError("The payload's header names a word that this release does not know.")
        return values[place]
