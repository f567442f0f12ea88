# SPDX-License-Identifier: Apache-2.0
"""What crosses the air for one frame, and its bytes.

Wire format, big-endian: magic "SC", format version (1 byte), length of the header (2 bytes), the
header as one flat msgpack array, CRC-32 of all bytes so far, then the parts in the header's order.
A part of bits is followed by its CRC-32. Symbols are complex64 and, after the channel, their noise
variance float32, both little-endian; analog values carry no CRC. Nothing may follow the last part.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

import msgpack
import numpy as np

from semcom_ros.errors import SemcomError

FORMAT_VERSION = 1
MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES = 128, 1200
"""Range of the rate setting of every codec: the most is what one radio packet carries."""
MAX_BYTES = 4 * 2**20
MAX_PIXELS = 64 * 2**20
MAX_PARTS = 16
PART_OVERHEAD = 10
"""Bytes that a part of bits takes besides its own."""
MAX_TEXT_BYTES = 1024
REASONS = ("malformed", "version", "codec", "model", "stale", "duplicate", "lost", "late",
           "reference")  # fmt: skip
"""Every reason for which a receiver may reject a payload."""
_MAGIC = b"SC"
_PREFIX = struct.Struct(">2sBH")
_CRC = struct.Struct(">I")
# A text in this list travels as its place in it, any other as it is. Append only: places are wire.
_WORDS = ("", "gesco", "classical", "cityscapes19", "labels", "image", "thumbnail",
          "jpeg2000", "hevc", "av1", "classes", "planes", "sqgan", "map_tokens",
          "image_1", "image_2", "image_3", "x264", "x265", "svtav1", "context", "webp",
          "png")  # fmt: skip
# On the wire: the fields of Header in their order and the SNR, then four fields for every part.
_FIELDS, _PART_FIELDS, _TEXT_FIELDS = 10, 4, (0, 5, 8)
_BITS, _ERASED, _SYMBOLS, _RECEIVED = range(4)
_BYTES_EACH = {_BITS: 1, _ERASED: 0, _SYMBOLS: 8, _RECEIVED: 12}


class PayloadError(SemcomError):
    """A payload that the receiver rejects; `reason` is one of `REASONS`, the text a sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        assert reason in REASONS, reason
        super().__init__(sentence)
        self.reason = reason


def _check_int(value: Any, low: int, high: int, what: str) -> None:
    if type(value) is not int or not low <= value <= high:
        raise SemcomError(f"A payload's {what} is {value!r}: it must be an int {low} to {high}.")


def _check_text(value: Any, what: str) -> None:
    if not isinstance(value, str) or len(value.encode()) > MAX_TEXT_BYTES:
        raise SemcomError(f"A payload's {what} must be a text of at most {MAX_TEXT_BYTES} bytes.")


@dataclass(frozen=True)
class Header:
    """What a receiver must know before it reads the parts.

    model: first 8 bytes of the hash of what both ends must share, b"" if nothing. height, width:
    pixels of the frame. stamp: ns of capture since the epoch. task: what the receiver is asked
    for, in plain language. Raises SemcomError on a value that the wire format does not hold.
    """

    codec: str
    codec_version: int
    model: bytes
    height: int
    width: int
    label_space: str
    sequence: int
    stamp: int
    task: str = ""

    def __post_init__(self) -> None:
        for name in ("codec", "label_space", "task"):
            _check_text(getattr(self, name), name)
        _check_int(self.codec_version, 0, 255, "codec version")
        _check_int(self.height, 1, MAX_PIXELS, "height")
        _check_int(self.width, 1, MAX_PIXELS // self.height, "width")
        _check_int(self.sequence, 0, 2**32 - 1, "sequence number")
        _check_int(self.stamp, 0, 2**63 - 1, "stamp")
        if not isinstance(self.model, bytes) or len(self.model) not in (0, 8):
            raise SemcomError("A payload's model hash must be 8 bytes, or none.")

    def expect(self, codec: str, version: int | None = None, model: bytes | None = None) -> None:
        """Raise PayloadError codec, version or model unless the payload is for this decoder.

        `version` and `model` are left unchecked where None.
        """
        if self.codec != codec:
            raise PayloadError(
                "codec",
                f"The payload is of codec '{self.codec}', the decoder of '{codec}': "
                "start both ends with the same codec.",
            )
        if version not in (None, self.codec_version):
            raise PayloadError(
                "version",
                f"The payload is of {codec}/{self.codec_version}, the decoder of "
                f"{codec}/{version}: install the same release at both ends.",
            )
        if model not in (None, self.model):
            raise PayloadError(
                "model",
                f"The payload needs model {self.model.hex() or 'none'}, the decoder holds "
                f"{model.hex() or 'none'}: give both ends the same model files.",
            )


@dataclass(frozen=True, eq=False)
class Part:
    """One stream of a payload: exactly one of bits, symbols, or erased (lost on the air).

    importance: 0 is the most important. symbols: complex64 [n], finite. noise_variance: float32
    [n], E|noise|^2 of each symbol, known only after the channel. Raises SemcomError.
    """

    name: str
    importance: int
    bits: bytes | None = None
    symbols: np.ndarray | None = None
    erased: bool = False
    noise_variance: np.ndarray | None = None

    def __post_init__(self) -> None:
        _check_text(self.name, "part name")
        _check_int(self.importance, 0, 255, "importance")
        if (self.bits is not None) + (self.symbols is not None) + bool(self.erased) != 1:
            raise SemcomError(f"Part '{self.name}' must hold bits, or symbols, or be erased.")
        if self.bits is not None and not isinstance(self.bits, bytes):
            raise SemcomError(f"Part '{self.name}' holds bits that are not of type bytes.")
        if self.symbols is not None:
            self._check_values(self.symbols, np.dtype(np.complex64), "symbols")
        if self.noise_variance is not None:
            self._check_values(self.noise_variance, np.dtype(np.float32), "noise variance")
            if self.symbols is None or len(self.noise_variance) != len(self.symbols):
                raise SemcomError(f"Part '{self.name}' needs one noise variance per symbol.")
            if (self.noise_variance < 0).any():
                raise SemcomError(f"Part '{self.name}' has a negative noise variance.")

    def _check_values(self, values: np.ndarray, dtype: np.dtype, what: str) -> None:
        if values.dtype != dtype or values.ndim != 1 or not np.isfinite(values).all():
            raise SemcomError(f"Part '{self.name}': its {what} must be finite {dtype} [n].")


@dataclass(frozen=True, eq=False)
class Payload:
    """Everything that is sent for one frame. snr_db: the link's own estimate, if it has one."""

    header: Header
    parts: tuple[Part, ...]
    snr_db: float | None = None

    def __post_init__(self) -> None:
        if len(self.parts) > MAX_PARTS:
            raise SemcomError(f"A payload has at most {MAX_PARTS} parts, not {len(self.parts)}.")
        if len({part.name for part in self.parts}) < len(self.parts):
            raise SemcomError("Two parts of a payload have the same name.")
        snr_db = self.snr_db
        if snr_db is not None and not (isinstance(snr_db, float) and math.isfinite(snr_db)):
            raise SemcomError("A payload's SNR must be a finite float in dB, or None.")

    def part(self, name: str) -> Part:
        """The part called `name`; raises PayloadError malformed where there is none."""
        for part in self.parts:
            if part.name == name:
                return part
        held = ", ".join(part.name for part in self.parts) or "none"
        raise PayloadError("malformed", f"The payload has no part '{name}'; it holds: {held}.")

    def bits(self, name: str) -> bytes:
        """The bits of part `name`; raises PayloadError lost if erased, malformed if not bits."""
        part = self.part(name)
        if part.erased:
            raise PayloadError("lost", f"Part '{name}' was lost on the air.")
        if part.bits is None:
            raise PayloadError("malformed", f"Part '{name}' holds symbols where bits belong.")
        return part.bits


def pack(payload: Payload) -> bytes:
    """The bytes of `payload`; raises SemcomError where they pass `MAX_BYTES`."""
    fields: list[Any] = [*astuple(payload.header), payload.snr_db]
    for i in _TEXT_FIELDS:
        fields[i] = _to_wire(fields[i])
    body = []
    for part in payload.parts:
        kind, count, data = _pack_part(part)
        fields += [_to_wire(part.name), part.importance, kind, count]
        body.append(data)
    packed = msgpack.packb(fields)
    if len(packed) > 0xFFFF or len(packed) + sum(map(len, body)) + 9 > MAX_BYTES:
        raise SemcomError(f"The payload passes the wire format's {MAX_BYTES} bytes: send less.")
    head = _PREFIX.pack(_MAGIC, FORMAT_VERSION, len(packed)) + packed
    return b"".join([head, _CRC.pack(zlib.crc32(head)), *body])


def parts_bytes(parts: Sequence[Part]) -> int:
    """What `parts` add to a packed payload."""
    added = 0
    for part in parts:
        kind, count, data = _pack_part(part)
        entry = msgpack.packb([_to_wire(part.name), part.importance, kind, count])
        added += len(entry) - 1 + len(data)
    return added + 2 * (len(parts) > 1)


def header_bytes(header: Header, snr_db: float | None = None) -> int:
    """Bytes of a packed payload without parts."""
    return len(pack(Payload(header, (), snr_db)))


def unpack(data: bytes) -> Payload:
    """Read what `pack` wrote; any bytes give a Payload or PayloadError malformed or version."""
    try:
        return _unpack(data)
    except PayloadError:
        raise
    except SemcomError as error:
        raise PayloadError("malformed", str(error)) from error


def _to_wire(text: str) -> str | int:
    return _WORDS.index(text) if text in _WORDS else text


def _from_wire(value: Any) -> Any:
    return _WORDS[value] if type(value) is int and 0 <= value < len(_WORDS) else value


def _pack_part(part: Part) -> tuple[int, int, bytes]:
    if part.erased:
        return _ERASED, 0, b""
    if part.bits is not None:
        return _BITS, len(part.bits), part.bits + _CRC.pack(zlib.crc32(part.bits))
    n, data = len(part.symbols), part.symbols.astype("<c8").tobytes()
    if part.noise_variance is None:
        return _SYMBOLS, n, data
    return _RECEIVED, n, data + part.noise_variance.astype("<f4").tobytes()


def _unpack(data: bytes) -> Payload:
    if len(data) > MAX_BYTES:
        raise SemcomError(f"The payload has {len(data)} bytes, more than {MAX_BYTES}.")
    if len(data) < _PREFIX.size or data[:2] != _MAGIC:
        raise SemcomError("The bytes are no semcom payload: they do not start with its magic.")
    _, version, length = _PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        raise PayloadError("version", f"The payload is of wire format {version}, not 1 as here.")
    end = _PREFIX.size + length
    _check_crc(data[:end], data[end : end + _CRC.size], "header")
    fields = _read_fields(data[_PREFIX.size : end])
    *values, snr_db = fields[:_FIELDS]
    for i in _TEXT_FIELDS:
        values[i] = _from_wire(values[i])
    header = Header(*values)
    parts, at = [], end + _CRC.size
    for i in range(_FIELDS, len(fields), _PART_FIELDS):
        part, at = _read_part(data, at, *fields[i : i + _PART_FIELDS])
        parts.append(part)
    if at != len(data):
        raise SemcomError(f"The payload has {len(data) - at} bytes after its last part.")
    return Payload(header, tuple(parts), snr_db)


def _read_fields(packed: bytes) -> list[Any]:
    try:
        fields = msgpack.unpackb(packed)
    except Exception as error:  # msgpack's errors have no base in common
        raise SemcomError("The payload's header is not msgpack.") from error
    if (
        not isinstance(fields, list)
        or len(fields) < _FIELDS
        or (len(fields) - _FIELDS) % _PART_FIELDS
        or len(fields) > _FIELDS + MAX_PARTS * _PART_FIELDS
    ):
        raise SemcomError("The payload's header has fields missing or too many.")
    return fields


def _read_part(
    data: bytes, at: int, name: Any, importance: Any, kind: Any, count: Any
) -> tuple[Part, int]:
    name = _from_wire(name)
    _check_int(kind, 0, _RECEIVED, "kind of part")
    _check_int(count, 0, MAX_BYTES, "size of part")
    end = at + count * _BYTES_EACH[kind]
    if end > len(data):
        raise SemcomError("The payload ends before its last part does.")
    if kind == _ERASED:
        return Part(name, importance, erased=True), end
    if kind == _BITS:
        bits, crc = data[at:end], data[end : end + _CRC.size]
        _check_crc(bits, crc, "part of bits")
        return Part(name, importance, bits=bits), end + _CRC.size
    symbols = np.frombuffer(data, "<c8", count, at).astype(np.complex64)
    variance = None
    if kind == _RECEIVED:
        variance = np.frombuffer(data, "<f4", count, at + 8 * count).astype(np.float32)
    return Part(name, importance, symbols=symbols, noise_variance=variance), end


def _check_crc(data: bytes, crc: bytes, what: str) -> None:
    if _CRC.pack(zlib.crc32(data)) != crc:
        raise SemcomError(f"The payload is cut or altered: the CRC-32 of a {what} is wrong.")
