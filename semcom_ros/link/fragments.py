# SPDX-License-Identifier: Apache-2.0
"""Messages longer than a datagram: split so that a lost datagram costs one part, and put together.

A payload becomes payloads that each hold some of its parts, the others erased, as many as fit; a
part that is longer than a datagram is cut, and of use only whole.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from semcom_ros.errors import SemcomError
from semcom_ros.link.datagram import PAYLOAD, ROOM, Datagram, Piece
from semcom_ros.payload import Part, Payload, PayloadError, pack, unpack

PATIENCE_S, LONGEST_S = 0.25, 2.0
"""How long a message waits for its next datagram, and for all of them, before it is taken as it is.
"""
MOST_OPEN = 4
"""Messages of one sender that may wait so at once."""


def split(message: bytes) -> list[Piece]:
    """The datagrams of a message, one where it fits into one."""
    wholes = [message]
    if len(message) > ROOM:
        try:
            wholes = [pack(one) for one in _grouped(unpack(message))]
        except PayloadError:  # whatever it is, it is of use only whole
            pass
    cut = [[one[i : i + ROOM] for i in range(0, len(one) or 1, ROOM)] for one in wholes]
    total, pieces = sum(map(len, cut)), list[Piece]()
    for bodies in cut:
        first, end = len(pieces), len(pieces) + len(bodies)
        pieces += [Piece(first + i, first, end, total, body) for i, body in enumerate(bodies)]
    return pieces


def _grouped(payload: Payload) -> Iterator[Payload]:
    """Payloads of neighbouring parts, as many as a datagram holds, and of one at least."""
    held: list[str] = []
    for part in payload.parts:
        if held and len(pack(_only(payload, [*held, part.name]))) > ROOM:
            yield _only(payload, held)
            held = []
        held.append(part.name)
    yield _only(payload, held)


def _only(payload: Payload, names: Sequence[str]) -> Payload:
    erased = (Part(p.name, p.importance, erased=True) for p in payload.parts)
    pairs = zip(payload.parts, erased, strict=True)
    return replace(payload, parts=tuple(p if p.name in names else e for p, e in pairs))


def merged(found: Sequence[Payload]) -> Payload:
    """One payload with every part that any of `found` holds. Raises PayloadError malformed where
    they are not of one frame."""
    if (
        len({(p.header.vehicle, p.header.sequence, p.header.stamp, len(p.parts)) for p in found})
        > 1
    ):
        raise PayloadError("malformed", "The fragments of a payload are of several frames.")
    held = {part.name: part for payload in found for part in payload.parts if not part.erased}
    return replace(found[0], parts=tuple(held.get(p.name, p) for p in found[0].parts))


class Reassembly:
    """Messages out of the datagrams of one sender, none of which comes twice.

    `add` and `expire` give what has come as (kind, message), the oldest first, of a payload with
    lost parts what is there. counts: gets the messages of several datagrams that were `joined`,
    came `incomplete`, were `broken` off though something of them came, or `refused.malformed`.
    """

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts
        # By number and place, with the time when it came.
        self._open: dict[int, dict[int, tuple[float, Datagram]]] = {}
        self._done: deque[int] = deque(maxlen=64)

    def add(self, one: Datagram, now_s: float) -> list[tuple[int, bytes]]:
        """Take a datagram that came at `now_s`."""
        number = (one.sequence - one.piece.place) % 2**32
        # After a newer message an older one would be too late for anybody.
        older = [n for n in self._open if 0 < (number - n) % 2**32 < 2**31]
        if one.piece.total == 1:
            return [*self._close(older), (one.kind, one.piece.body)]
        if number in self._done:
            return []
        message = self._open.setdefault(number, {})
        message[one.piece.place] = now_s, one
        if len(message) == one.piece.total:
            return self._close([*older, number])
        return self._close(list(self._open)[:-MOST_OPEN])

    def expire(self, now_s: float) -> list[tuple[int, bytes]]:
        """Take as they are the messages that have waited too long."""
        late = []
        for number, held in self._open.items():
            (first_s, _), (newest_s, _) = (next(each(held.values())) for each in (iter, reversed))
            if now_s - newest_s > PATIENCE_S or now_s - first_s > LONGEST_S:
                late.append(number)
        return self._close(late)

    def _close(self, numbers: list[int]) -> list[tuple[int, bytes]]:
        given = []
        for number in numbers:
            pieces = {place: one for place, (_, one) in self._open.pop(number).items()}
            self._done.append(number)
            kind, total = next((one.kind, one.piece.total) for one in pieces.values())
            wholes, complete = _wholes(pieces, total), len(pieces) == total
            if not wholes or (kind != PAYLOAD and not complete):
                self.counts["broken"] += 1
                continue
            try:
                several = len(wholes) > 1 or not complete
                message = pack(merged(list(map(unpack, wholes)))) if several else wholes[0]
            except SemcomError:
                self.counts["refused.malformed"] += 1
                continue
            self.counts["joined" if complete else "incomplete"] += 1
            given.append((kind, message))
        return given


def _wholes(pieces: dict[int, Datagram], total: int) -> list[bytes]:
    """Whatever of a message has come whole."""
    found, at = [], 0
    while at < total:
        one = pieces[at].piece if at in pieces else None
        end = one.end if one and one.first == at else at + 1
        if one and one.first == at and all(i in pieces for i in range(at, end)):
            found.append(b"".join(pieces[i].piece.body for i in range(at, end)))
        at = end
    return found
