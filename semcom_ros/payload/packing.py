# SPDX-License-Identifier: Apache-2.0
"""Payloads to bytes and back.

Wire format 2, big-endian: magic "SC", format version (1 byte), length of the header (2 bytes), the
header, CRC-32 of all bytes so far, then the parts in the header's order. A part of bits is followed
by its CRC-32. Symbols are complex64 and, after the channel, their noise variance float32, both
little-endian; analog values carry no CRC. Nothing may follow the last part.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Mounting
from semcom_ros.payload.header import Header, PayloadError, check_int
from semcom_ros.payload.parts import Part, Payload
from semcom_ros.payload.wire import Reader, Writer

FORMAT_VERSION = 2
MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES = 128, 1200
"""Range of the rate setting of every codec: the most is what one radio packet carries."""
MAX_BYTES = 4 * 2**20
PART_OVERHEAD = 8
"""Bytes that a part of bits takes besides its own, of fewer than 16384 and with a known name."""

_MAGIC = b"SC"
_PREFIX = struct.Struct(">2sBH")
_CRC = struct.Struct(">I")
_BITS, _ERASED, _SYMBOLS, _RECEIVED = range(4)
_BYTES_EACH = {_BITS: 1, _ERASED: 0, _SYMBOLS: 8, _RECEIVED: 12}
# Beside the number of parts in one byte: what of the header is there.
_MODEL, _SNR, _CAMERA, _MOUNTING = 128, 64, 32, 16


def pack(payload: Payload) -> bytes:
    """The bytes of `payload`; raises SemcomError where they pass `MAX_BYTES`."""
    header = _pack_header(payload)
    body = [_pack_part(part) for part in payload.parts]
    if len(header) > 0xFFFF or len(header) + sum(map(len, body)) + 9 > MAX_BYTES:
        raise SemcomError(f"The payload passes the wire format's {MAX_BYTES} bytes: send less.")
    head = _PREFIX.pack(_MAGIC, FORMAT_VERSION, len(header)) + header
    return b"".join([head, _CRC.pack(zlib.crc32(head)), *body])


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


def parts_bytes(parts: Sequence[Part]) -> int:
    """What `parts` add to a packed payload."""
    entries = Writer()
    for part in parts:
        _write_part(entries, part)
    return len(entries.data) + sum(len(_pack_part(part)) for part in parts)


def _pack_header(payload: Payload) -> bytes:
    h, to = payload.header, Writer()
    mounting = h.camera.mounting if h.camera else None
    flags = _MODEL * bool(h.model) + _SNR * (payload.snr_db is not None)
    flags += _CAMERA * (h.camera is not None) + _MOUNTING * (mounting is not None)
    to.byte(flags | len(payload.parts))
    to.text(h.codec)
    to.byte(h.codec_version)
    to.raw(h.model)
    to.size(h.height, h.width)
    to.size(h.source_height, h.source_width)
    to.text(h.label_space)
    to.uint(h.vehicle)
    to.uint(h.sequence)
    to.fixed(">Q", h.stamp)
    # As the distance back: small where frames lean on the last one, and 0 for none.
    to.uint((h.sequence - h.reference) % 2**32 if h.reference else 0)
    to.text(h.task)
    if payload.snr_db is not None:
        to.fixed(">d", payload.snr_db)
    if h.camera is not None:
        to.text(h.camera.distortion_model)
        to.byte(len(h.camera.distortion))
        to.floats((*h.camera.matrix, *h.camera.distortion, *(mounting or ())))
    for part in payload.parts:
        _write_part(to, part)
    return bytes(to.data)


def _write_part(to: Writer, part: Part) -> None:
    kind, count = _kind_of(part)
    to.text(part.name)
    to.byte(4 * part.importance + kind)
    to.uint(count)


def _kind_of(part: Part) -> tuple[int, int]:
    """What a part holds, and how many."""
    if part.bits is not None:
        return _BITS, len(part.bits)
    if part.symbols is None:
        return _ERASED, 0
    return _SYMBOLS if part.noise_variance is None else _RECEIVED, len(part.symbols)


def _pack_part(part: Part) -> bytes:
    if part.bits is not None:
        return part.bits + _CRC.pack(zlib.crc32(part.bits))
    if part.symbols is None:
        return b""
    data = part.symbols.astype("<c8").tobytes()
    return (
        data if part.noise_variance is None else data + part.noise_variance.astype("<f4").tobytes()
    )


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
    reader = Reader(data[_PREFIX.size : end])
    header, n_parts, snr_db = _read_header(reader)
    parts, at = [], end + _CRC.size
    for _ in range(n_parts):
        part, at = _read_part(data, at, reader.text(), reader.byte(), reader.uint())
        parts.append(part)
    if reader.left or at != len(data):
        raise SemcomError(f"The payload has {reader.left + len(data) - at} bytes too many.")
    return Payload(header, tuple(parts), snr_db)


def _read_header(reader: Reader) -> tuple[Header, int, float | None]:
    """The header, the number of parts, and the SNR."""
    flags = reader.byte()
    codec, version = reader.text(), reader.byte()
    model = reader.raw(8 if flags & _MODEL else 0)
    (height, width), (source_height, source_width) = reader.size(), reader.size()
    label_space, vehicle, sequence = reader.text(), reader.uint(), reader.uint()
    stamp, back, task = reader.fixed(">Q"), reader.uint(), reader.text()
    check_int(back, 0, 2**32 - 1, "distance of the reference")
    snr_db = reader.fixed(">d") if flags & _SNR else None
    camera = None
    if flags & _CAMERA:
        lens, n = reader.text(), reader.byte()
        values = reader.floats(4 + n + (6 if flags & _MOUNTING else 0))
        mounting = Mounting(*values[4 + n :]) if flags & _MOUNTING else None
        fx, fy, cx, cy = values[:4]
        camera = Camera(
            source_height, source_width, fx, fy, cx, cy, values[4 : 4 + n], lens, mounting
        )
    header = Header(
        codec, version, model, height, width, label_space, sequence, stamp, task, vehicle,
        (sequence - back) % 2**32 if back else 0, source_height, source_width, camera,
    )  # fmt: skip
    return header, flags % _MOUNTING, snr_db


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
