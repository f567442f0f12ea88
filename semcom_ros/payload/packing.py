# SPDX-License-Identifier: Apache-2.0
"""Payloads to bytes and back.

Wire format 2, big-endian: magic "SC", format version (1 byte), length of the header (2 bytes), the
header, CRC-32 of all bytes so far, then the parts in the header's order. The header holds the
fields of `_header`, what is in each part, and the seal, which is all that is left of it. A part of
bits is followed by its CRC-32. Symbols are complex64 and, after the channel, their noise variance
float32, both little-endian; analog values carry no CRC. Nothing may follow the last part.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Mounting
from semcom_ros.payload.contents import Header, Part, Payload, PayloadError, check_int
from semcom_ros.payload.wire import Wire

FORMAT_VERSION = 2
MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES = 128, 1200
"""Range of the rate setting of every codec: the most is what one radio packet carries."""
MAX_BYTES = 4 * 2**20
PART_OVERHEAD, SYMBOLS_OVERHEAD = 8, 4
"""Bytes that a part of bits, or of symbols, takes besides its own, of fewer than 16384 and with a
known name."""

_MAGIC = b"SC"
_PREFIX = struct.Struct(">2sBH")
_CRC = struct.Struct(">I")
_BITS, _ERASED, _SYMBOLS, _RECEIVED = range(4)
_BYTES_EACH = {_BITS: 1, _ERASED: 0, _SYMBOLS: 8, _RECEIVED: 12}
# Beside the number of parts in one byte: what of the header is there.
_MODEL, _SNR, _CAMERA, _MOUNTING = 128, 64, 32, 16
_BLANK, _NO_CAMERA = Header("", 0, b"", 1, 1, "", 0, 0), Camera(0, 0)


def pack(payload: Payload) -> bytes:
    """The bytes of `payload`; raises SemcomError where they pass `MAX_BYTES`."""
    wire = Wire()
    _header(wire, payload.header, payload.snr_db, len(payload.parts))
    body = _write_parts(wire, payload.parts)
    wire.raw(payload.seal, len(payload.seal))
    if len(wire.data) > 0xFFFF or len(wire.data) + len(body) + 9 > MAX_BYTES:
        raise SemcomError(f"The payload passes the wire format's {MAX_BYTES} bytes: send less.")
    head = _PREFIX.pack(_MAGIC, FORMAT_VERSION, len(wire.data)) + wire.data
    return head + _CRC.pack(zlib.crc32(head)) + body


def unpack(data: bytes) -> Payload:
    """Read what `pack` wrote; any bytes give a Payload or PayloadError malformed or version."""
    try:
        return _unpack(data)
    except PayloadError:
        raise
    except SemcomError as error:
        raise PayloadError("malformed", str(error)) from error


def header_bytes(header: Header) -> int:
    """Bytes of a packed payload without parts, on the air."""
    return len(pack(Payload(header, ())))


def sealed_bytes(payload: Payload) -> bytes:
    """What a seal vouches for beside the parts' contents, the same before and after the radio: the
    header, and name and importance of every part."""
    wire = Wire()
    _header(wire, payload.header, None, len(payload.parts))
    for part in payload.parts:
        wire.text(part.name)
        wire.byte(part.importance)
    return bytes(wire.data)


def parts_bytes(parts: Sequence[Part]) -> int:
    """What `parts` add to a packed payload."""
    wire = Wire()
    return len(_write_parts(wire, parts)) + len(wire.data)


def coded_bytes(payload: Payload, size: int) -> int:
    """Of the packed `payload` of `size` bytes, those that its sender coded.

    Neither uncoded symbols nor what the radio adds count: noise variances, SNR.
    """
    added = sum(len(_pack_part(part)[2]) for part in payload.parts if part.symbols is not None)
    return size - added - (8 if payload.snr_db is not None else 0)


def _header(
    wire: Wire, h: Header, snr_db: float | None, n_parts: int
) -> tuple[Header, float | None, int]:
    """Write a header with SNR and number of parts, or read them, whatever is given."""
    told = h.camera or _NO_CAMERA
    flags = _MODEL * bool(h.model) + _SNR * (snr_db is not None) + _CAMERA * (h.camera is not None)
    flags = wire.byte(flags | _MOUNTING * (told.mounting is not None) | n_parts)
    codec, version = wire.text(h.codec), wire.byte(h.codec_version)
    model = wire.raw(h.model, 8 if flags & _MODEL else 0)
    height, width = wire.size((h.height, h.width))
    source = wire.size((h.source_height, h.source_width))
    label_space, vehicle = wire.text(h.label_space), wire.uint(h.vehicle)
    sequence, (stamp,) = wire.uint(h.sequence), wire.fixed(">Q", h.stamp)
    # As the distance back: small where frames lean on the last one, and 0 for none.
    back = wire.uint((h.sequence - h.reference) % 2**32 if h.reference else 0)
    check_int(back, 0, 2**32 - 1, "distance of the reference")
    task = wire.text(h.task)
    if flags & _SNR:
        (snr_db,) = wire.fixed(">d", snr_db)
    camera = None
    if flags & _CAMERA:
        lens, n = wire.text(told.distortion_model), wire.byte(len(told.distortion))
        values = (*told.matrix, *told.distortion, *(told.mounting or ()))
        values = wire.fixed(f">{4 + n + (6 if flags & _MOUNTING else 0)}f", *values)
        mounting = Mounting(*values[4 + n :]) if flags & _MOUNTING else None
        fx, fy, cx, cy = values[:4]
        camera = Camera(*source, fx, fy, cx, cy, values[4 : 4 + n], lens, mounting)
    if h is not _BLANK:  # what was written has been checked
        return h, snr_db, n_parts
    reference = (sequence - back) % 2**32 if back else 0
    header = Header(
        codec, version, model, height, width, label_space, sequence, stamp, task, vehicle,
        reference, *source, camera,
    )  # fmt: skip
    return header, snr_db, flags % _MOUNTING


def _write_parts(wire: Wire, parts: Sequence[Part]) -> bytes:
    """Write what the header says of `parts`; returns what follows the header."""
    bodies = []
    for part in parts:
        kind, count, body = _pack_part(part)
        wire.text(part.name)
        wire.byte(4 * part.importance + kind)
        wire.uint(count)
        bodies.append(body)
    return b"".join(bodies)


def _pack_part(part: Part) -> tuple[int, int, bytes]:
    """What a part holds, how many, and its bytes."""
    if part.bits is not None:
        return _BITS, len(part.bits), part.bits + _CRC.pack(zlib.crc32(part.bits))
    if part.symbols is None:
        return _ERASED, 0, b""
    count, data = len(part.symbols), part.symbols.astype("<c8").tobytes()
    if part.noise_variance is None:
        return _SYMBOLS, count, data
    return _RECEIVED, count, data + part.noise_variance.astype("<f4").tobytes()


def _unpack(data: bytes) -> Payload:
    if len(data) > MAX_BYTES:
        raise SemcomError(f"The payload has {len(data)} bytes, more than {MAX_BYTES}.")
    if len(data) < _PREFIX.size or data[:2] != _MAGIC:
        raise SemcomError("The bytes are no semcom payload: they do not start with its magic.")
    _, version, length = _PREFIX.unpack_from(data)
    if version != FORMAT_VERSION:
        text = f"The payload is of wire format {version}, this release reads {FORMAT_VERSION}."
        raise PayloadError("version", text)
    end = _PREFIX.size + length
    _check_crc(data[:end], data[end : end + _CRC.size], "header")
    reader = Wire(data[_PREFIX.size : end])
    header, snr_db, n_parts = _header(reader, _BLANK, None, 0)
    parts, at = [], end + _CRC.size
    for _ in range(n_parts):
        part, at = _read_part(data, at, reader.text(), reader.byte(), reader.uint())
        parts.append(part)
    if at != len(data):
        raise SemcomError(f"The payload has {len(data) - at} bytes too many.")
    return Payload(header, tuple(parts), snr_db, reader.raw(b"", reader.left))


def _read_part(data: bytes, at: int, name: str, what: int, count: int) -> tuple[Part, int]:
    importance, kind = divmod(what, 4)
    check_int(count, 0, MAX_BYTES, "size of part")
    end = at + count * _BYTES_EACH[kind]
    if end > len(data):
        raise SemcomError("The payload ends before its last part does.")
    if kind == _ERASED:
        check_int(count, 0, 0, "size of an erased part")
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
