# SPDX-License-Identifier: Apache-2.0
"""One UDP datagram between a vehicle's host and the RSU's: its fields and its bytes."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from semcom_ros.errors import SemcomError
from semcom_ros.payload import MAX_BYTES
from semcom_ros.payload.contents import MAX_PARTS

MOST_BYTES = 1200
"""Longest datagram, so that no path has to split one: IPv6 carries 1280 bytes everywhere."""
PAYLOAD, REPORT, ECHO = range(3)
"""What a datagram carries: a payload, the RSU's report on the link, or nothing but its fields."""
_HEAD = struct.Struct(">3sB8sIIIIHHHHH")
_MAGIC = b"SU\1"
UNKNOWN = 0xFFFF
ROOM = MOST_BYTES - _HEAD.size
"""Bytes of a message that one datagram holds."""
_MOST_PIECES = -(-MAX_BYTES // ROOM) + 2 * MAX_PARTS
"""Those of the longest payload, whose header goes with each of its parts."""


class Piece(NamedTuple):
    """What a datagram carries of a message, and its place among the `total` that do; those from
    `first` to before `end` are of use only together."""

    place: int = 0
    first: int = 0
    end: int = 1
    total: int = 1
    body: bytes = b""


class Datagram(NamedTuple):
    """A piece of a message, and what both ends measure the path by.

    session: 8 random bytes of the vehicle's end, by which the RSU's knows it wherever it moves.
    sequence: of all datagrams of this sender, modulo 2^32. sent_us: when, by the sender's steady
    clock; echo_us, held_us: that of the newest datagram that came to the sender, and how long ago
    it came, 0 and 0 before any; microseconds, modulo 2^32. loss: share of those sent to it that did
    not come, of 65534, or UNKNOWN.
    """

    kind: int
    session: bytes
    sequence: int
    sent_us: int
    echo_us: int
    held_us: int
    loss: int
    piece: Piece

    def pack(self) -> bytes:
        """Its bytes, at most `MOST_BYTES`."""
        return _HEAD.pack(_MAGIC, *self[:-1], *self.piece[:-1]) + self.piece.body


def read(data: bytes) -> Datagram:
    """What `Datagram.pack` gave; raises SemcomError for any other bytes."""
    if not _HEAD.size <= len(data) <= MOST_BYTES or data[:3] != _MAGIC:
        raise SemcomError("These bytes are no datagram of a link_node of this release.")
    fields: tuple[Any, ...] = _HEAD.unpack_from(data)[1:]
    piece = Piece._make([*fields[7:], data[_HEAD.size :]])
    there = piece.first <= piece.place < piece.end <= piece.total <= _MOST_PIECES
    if fields[0] > ECHO or not there:
        raise SemcomError("A datagram of a link_node is no piece of a message.")
    return Datagram._make([*fields[:7], piece])
