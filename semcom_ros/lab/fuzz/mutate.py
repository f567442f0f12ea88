# SPDX-License-Identifier: Apache-2.0
"""Payloads and packets that were tampered with: a seeded stream of them, from those of a corpus.

What is changed behind a checksum gets its checksum made right, so that what lies behind is reached.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from semcom_ros.payload import Part, Payload, pack

_PREFIX = 5
"""Bytes before the header: magic, version, the header's length."""
ODD = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)
RUNS = (b"\0", b"\xff", b"\x80", b"\0\0\1", b"\xff\xd8\xff", b"\xff\xd9")
"""What decoders of pictures take for marks of their own is among them."""
VALUES = (0.0, 1e-45, 1e-7, 1.0, 1e20, 3.4e38)


class Mutator:
    """Draws by `seed` from `corpus`, payloads that may be of several codecs."""

    def __init__(self, corpus: Sequence[Payload], seed: int) -> None:
        self._random, self._corpus = random.Random(seed), corpus
        packets = [(pack(one), any(p.symbols is not None for p in one.parts)) for one in corpus]
        self._packets = [one for one in packets if len(one[0]) < 1 << 14]

    def bits(self, data: bytes) -> bytes:
        """`data` with a few of its bits, bytes or runs changed, cut out, put in or cut off."""
        draw, out = self._random.random, bytearray(data)
        for _ in range(1 + int(6 * draw() ** 4)):
            at, kind = int(draw() * len(out)), int(draw() * 8)
            if kind == 0 or not out:
                out[at:at] = self._random.choice(RUNS) * (1 + int(8 * draw()))
            elif kind < 3:
                out[at] ^= 1 << int(8 * draw())
            elif kind < 5:
                out[at] = ODD[int(draw() * len(ODD))] if kind == 3 else int(256 * draw())
            elif kind == 5:
                del out[at:]
            elif kind == 6:
                del out[at : at + 1 + int(8 * draw())]
            else:
                out[at : at + int(16 * draw())] = self._random.randbytes(int(16 * draw()))
        return bytes(out)

    def packet(self) -> tuple[bytes, bytes | None]:
        """A packet that was tampered with, and what it was where checksums tell of it: where none
        was made right, and no part is of symbols, which have none."""
        data, has_symbols = self._random.choice(self._packets)
        if self._random.random() < 0.5:
            return self.bits(data), None if has_symbols else data
        (length,) = struct.unpack_from(">H", data, _PREFIX - 2)
        end = _PREFIX + length
        header = self.bits(data[_PREFIX:end])[:0xFFFF]
        body = data if self._random.random() < 0.8 else self._random.choice(self._packets)[0]
        head = data[: _PREFIX - 2] + struct.pack(">H", len(header)) + header
        return head + struct.pack(">I", zlib.crc32(head)) + body[end + 4 :], None

    def payload(self) -> Payload:
        """A payload with a header as its codec wants it, and parts that a codec never made."""
        payload = self._random.choice(self._corpus)
        parts, kind = list(payload.parts), self._random.random()
        at = int(self._random.random() * len(parts))
        if kind < 0.05:
            del parts[at]
        elif kind < 0.1:
            parts[at] = Part(parts[at].name, parts[at].importance, erased=True)
        elif kind < 0.2:  # a part of another payload under the name of this one
            other = self._random.choice(self._random.choice(self._corpus).parts)
            parts[at] = replace(other, name=parts[at].name)
        else:
            for which in {at, int(self._random.random() * len(parts))}:
                parts[which] = self._part(parts[which])
        sequence = self._random.choice((1, 2, 3, 4, 2**32 - 1))
        return replace(payload, header=replace(payload.header, sequence=sequence), parts=(*parts,))

    def _part(self, part: Part) -> Part:
        if part.symbols is None:
            return replace(part, bits=self.bits(part.bits or b""), erased=False)
        values = part.symbols.view(np.float32).copy()
        begin, end = sorted(int(self._random.random() * (len(values) + 1)) for _ in "ab")
        values[begin:end] = self._random.choice(VALUES) * self._random.choice((1, -1))
        variance, n = part.noise_variance, len(part.symbols)
        if variance is not None and self._random.random() < 0.5:
            variance = np.full_like(variance, self._random.choice(VALUES))
        if self._random.random() < 0.1:
            n = begin // 2
        symbols = values.view(np.complex64)[:n]
        variance = None if variance is None else variance[:n]
        return replace(part, symbols=symbols, noise_variance=variance)
