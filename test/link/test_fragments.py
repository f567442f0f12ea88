# SPDX-License-Identifier: Apache-2.0
"""Long payloads in datagrams: what is lost is lost by the part, and memory is bounded."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from udp_bench import payload

from semcom_ros.errors import SemcomError
from semcom_ros.link.datagram import MOST_BYTES, PAYLOAD, REPORT, ROOM, Datagram, Piece, read
from semcom_ros.link.fragments import LONGEST_S, MOST_OPEN, PATIENCE_S, Reassembly, split
from semcom_ros.payload import Header, Part, Payload, pack, unpack

LONG = payload(7, n_parts=5, size=500)


def datagrams(message: bytes, start: int = 100, kind: int = PAYLOAD) -> list[Datagram]:
    return [
        Datagram(kind, bytes(8), start + i, 0, 0, 0, 0, p) for i, p in enumerate(split(message))
    ]


def held(message: bytes) -> set[str]:
    return {part.name for part in unpack(message).parts if not part.erased}


def test_no_datagram_is_longer_than_any_path_carries_and_all_are_read_as_they_were_sent():
    for one in (*datagrams(LONG), *datagrams(payload(1)), *datagrams(b""), *datagrams(bytes(9999))):
        assert len(one.pack()) <= MOST_BYTES and read(one.pack()) == one
    assert [len(split(payload(1, 1, size))) for size in (1000, 1150)] == [1, 2]


@pytest.mark.parametrize("message", [LONG, payload(2), payload(3, 1, 3000), b"", bytes(5000)])
def test_what_comes_whole_is_as_it_was_whatever_the_order(message: bytes):
    for order in (1, -1):
        taken, counts = [], Counter[str]()
        into = Reassembly(counts)
        for one in datagrams(message)[::order]:
            taken += into.add(one, 0.0)
        assert taken == [(PAYLOAD, message)]
        assert counts == ({"joined": 1} if len(message) > ROOM else {})


def test_of_every_loss_the_other_parts_are_left_and_the_header():
    pieces = datagrams(LONG)
    assert len(pieces) == 3
    every = {f"part_{i}" for i in range(5)}
    alone = [held(one.piece.body) for one in pieces]
    assert set.union(*alone) == every and not alone[0] & alone[1]
    for n_left in (1, 2):
        for left in combinations(range(3), n_left):
            into = Reassembly(counts := Counter())
            assert not [given for i in left for given in into.add(pieces[i], 0.0)]
            ((kind, message),) = into.expire(PATIENCE_S + 0.01)
            assert kind == PAYLOAD and held(message) == set.union(*(alone[i] for i in left))
            whole, left_over = unpack(LONG), unpack(message)
            assert (left_over.header, left_over.seal) == (whole.header, whole.seal)
            assert counts == {"incomplete": 1}


def test_a_part_longer_than_a_datagram_is_whole_or_erased_and_symbols_are_parts_like_any():
    symbols = np.arange(600).astype(np.complex64)
    parts = (Part("map", 0, bits=bytes(700)), Part("planes", 1, symbols=symbols))
    message = pack(Payload(Header("gesco", 1, b"", 256, 512, "", 1, 1), parts))
    pieces = datagrams(message)
    assert [(p.piece.first, p.piece.end) for p in pieces] == [(0, 1)] + 5 * [(1, 6)]
    into = Reassembly(Counter())
    assert not [given for one in pieces[:-1] for given in into.add(one, 0.0)]
    assert [held(one) for _, one in into.expire(1.0)] == [{"map"}]
    into = Reassembly(counts := Counter())
    assert not [given for one in pieces[2:] for given in into.add(one, 0.0)]
    assert into.expire(1.0) == [] and counts == {"broken": 1}


def test_a_report_that_is_cut_is_of_no_use():
    into = Reassembly(counts := Counter())
    assert into.add(datagrams(bytes(3000), kind=REPORT)[0], 0.0) == []
    assert into.expire(1.0) == [] and counts == {"broken": 1}


def test_a_newer_message_does_not_wait_for_an_older_one_nor_overtake_it():
    first, second = datagrams(LONG, 10), datagrams(payload(8), 20)
    into = Reassembly(Counter())
    into.add(first[0], 0.0)
    assert [unpack(m).header.sequence for _, m in into.add(second[0], 0.1)] == [7, 8]
    assert into.add(first[1], 0.2) == [] and into.expire(9.0) == []


def test_what_waits_is_bounded_in_number_and_in_time():
    into = Reassembly(counts := Counter())
    newest_first = [datagrams(LONG, 1000 - 10 * i) for i in range(3 * MOST_OPEN)]
    given = [g for message in newest_first for g in into.add(message[0], 0.0)]
    assert len(given) == 2 * MOST_OPEN == counts["incomplete"]
    into, cut = Reassembly(Counter()), datagrams(payload(1, 1, 30_000))
    times = np.linspace(0, LONGEST_S + 0.1, len(cut) - 1)
    given = [
        g for t, one in zip(times, cut, strict=False) for g in into.add(one, t) + into.expire(t)
    ]
    assert given == [] and into.expire(LONGEST_S + 0.1) == []
    assert into.add(cut[-1], LONGEST_S + 0.1) == []  # closed, not begun again


def test_fragments_of_different_frames_are_not_mixed():
    one, other = datagrams(LONG), datagrams(payload(9, n_parts=5, size=500))
    into = Reassembly(counts := Counter())
    assert not [given for p in (one[0], other[1], one[2]) for given in into.add(p, 0.0)]
    assert counts == {"refused.malformed": 1}


def test_fragments_that_are_together_more_than_a_payload_may_be_are_refused():
    head = Header("gesco", 1, b"", 256, 512, "", 1, 1)
    big = [Part(name, 0, bits=bytes(3 * 2**20)) for name in ("a", "b")]
    gone = [Part(one.name, 0, erased=True) for one in big]
    halves = [pack(Payload(head, parts)) for parts in ((big[0], gone[1]), (gone[0], big[1]))]
    wholes = [[one[i : i + ROOM] for i in range(0, len(one), ROOM)] for one in halves]
    total, into, at = sum(map(len, wholes)), Reassembly(counts := Counter()), 0
    for bodies in wholes:
        for i, body in enumerate(bodies):
            piece = Piece(at + i, at, at + len(bodies), total, body)
            assert into.add(Datagram(PAYLOAD, b"", at + i, 0, 0, 0, 0, piece), 0.0) == []
        at += len(bodies)
    assert counts == {"refused.malformed": 1}


@given(st.binary(max_size=1300), st.booleans())
def test_any_bytes_are_a_datagram_or_refused_with_a_sentence(data: bytes, marked: bool):
    data = b"SU\1" + data if marked else data
    try:
        assert read(data).pack() == data
    except SemcomError:
        pass


@given(st.lists(st.tuples(*5 * [st.integers(0, 6)], st.binary(max_size=8)), max_size=30))
def test_any_pieces_are_taken_without_an_error(pieces: list[tuple]):
    into = Reassembly(Counter())
    for number, place, first, end, total, body in pieces:
        if first <= place < end <= total:
            piece = Piece(place, first, end, total, body)
            into.add(Datagram(PAYLOAD, b"", number + place, 0, 0, 0, 0, piece), 0.0)
    into.expire(9.0)
