# SPDX-License-Identifier: Apache-2.0
"""The wire format: what is packed comes back, and nothing else gets in."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from semcom_ros.codecs import codec_of
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Mounting
from semcom_ros.lab.inspect_payload import describe
from semcom_ros.lab.rates import rates
from semcom_ros.payload import (
    MAX_BYTES,
    Header,
    Part,
    Payload,
    PayloadError,
    header_bytes,
    pack,
    parts_bytes,
    unpack,
)
from semcom_ros.payload.wire import Wire
from semcom_ros.pipeline.decodable import check_header

HEADER = Header(
    "gesco", 1, b"12345678", 256, 512, "cityscapes19", 40_000, 1_700_000_000_123_456_789
)
TWO_PARTS = Payload(
    HEADER, (Part("labels", 0, bits=b"m" * 400), Part("thumbnail", 1, bits=b"c" * 40))
)
SYMBOLS = Payload(
    HEADER,
    (
        Part("labels", 0, bits=b"map"),
        Part(
            "planes",
            1,
            symbols=np.exp(1j * np.arange(6)).astype(np.complex64),
            noise_variance=np.full(6, 0.1, np.float32),
        ),
        Part("thumbnail", 2, erased=True),
    ),
    snr_db=3.5,
)

CAMERA = Camera(720, 960, 830.5, 831.0, 479.5, 359.5, (0.25, -0.5), mounting=Mounting(1, 0, 1.5))

names = st.text(max_size=20)
floats = st.floats(-1e4, 1e4, width=32)
cameras = st.builds(
    Camera,
    st.just(720),
    st.just(960),
    *(floats,) * 4,
    st.lists(floats, max_size=8).map(tuple),
    names,
    st.none() | st.builds(Mounting, *(floats,) * 6),
)
headers = st.builds(
    Header,
    codec=names,
    codec_version=st.integers(0, 255),
    model=st.sampled_from([b"", b"\x00\xff345678"]),
    height=st.integers(1, 8192),
    width=st.integers(1, 8192),
    label_space=names,
    sequence=st.integers(0, 2**32 - 1),
    stamp=st.integers(0, 2**63 - 1),
    task=names,
    vehicle=st.integers(0, 2**32 - 1),
    reference=st.integers(0, 2**32 - 1),
    source_height=st.just(720),
    source_width=st.just(960),
    camera=st.none() | cameras,
).filter(lambda h: h.reference != h.sequence)


@st.composite
def payloads(draw: st.DrawFn) -> Payload:
    parts = []
    for name in draw(st.lists(names, max_size=4, unique=True)):
        importance = draw(st.integers(0, 63))
        kind = draw(st.sampled_from(["bits", "erased", "symbols", "received"]))
        if kind == "bits":
            parts.append(Part(name, importance, bits=draw(st.binary(max_size=50))))
        elif kind == "erased":
            parts.append(Part(name, importance, erased=True))
        else:
            n = draw(st.integers(0, 8))
            pairs = draw(hnp.arrays(np.float32, (n, 2), elements=st.floats(-9, 9, width=32)))
            variance = np.full(n, 0.25, np.float32) if kind == "received" else None
            symbols = pairs.view(np.complex64).ravel()
            parts.append(Part(name, importance, symbols=symbols, noise_variance=variance))
    snr_db = draw(st.none() | st.floats(-40, 60))
    return Payload(draw(headers), tuple(parts), snr_db, draw(st.binary(max_size=90)))


def same(a: Payload, b: Payload) -> bool:
    def key(part: Part) -> tuple:
        arrays = (part.symbols, part.noise_variance)
        held = tuple(None if x is None else (x.dtype, x.tobytes()) for x in arrays)
        return part.name, part.importance, part.bits, part.erased, *held

    parts = [key(part) for part in a.parts] == [key(part) for part in b.parts]
    return (a.header, a.snr_db, a.seal) == (b.header, b.snr_db, b.seal) and parts


def forge(header: bytes, body: bytes = b"") -> bytes:
    """A packet whose header CRC is right, whatever the header says."""
    head = struct.pack(">2sBH", b"SC", 2, len(header)) + header
    return head + struct.pack(">I", zlib.crc32(head)) + body


@settings(max_examples=200, deadline=None, derandomize=True)
@given(payloads())
def test_what_is_packed_comes_back(payload: Payload) -> None:
    assert same(unpack(pack(payload)), payload)


@pytest.mark.parametrize("payload", [TWO_PARTS, SYMBOLS])
def test_a_payload_cut_at_any_byte_is_malformed(payload: Payload) -> None:
    data = pack(payload)
    for length in range(len(data)):
        with pytest.raises(PayloadError) as caught:
            unpack(data[:length])
        assert caught.value.reason == "malformed"


def test_bytes_after_the_last_part_are_malformed() -> None:
    with pytest.raises(PayloadError, match="too many"):
        unpack(pack(TWO_PARTS) + b"\0")


@pytest.mark.parametrize("payload", [TWO_PARTS, SYMBOLS])
def test_a_flipped_bit_is_rejected_unless_it_is_in_an_analog_symbol(payload: Payload) -> None:
    data = pack(payload)
    analog = data.find(payload.parts[1].symbols.tobytes()) if payload is SYMBOLS else len(data)
    for bit in range(8 * len(data)):
        altered = bytearray(data)
        altered[bit // 8] ^= 1 << bit % 8
        try:
            received = unpack(bytes(altered))
        except PayloadError as error:
            assert error.reason == ("version" if bit // 8 == 2 else "malformed")
        else:
            assert bit // 8 >= analog
            assert received.header == payload.header


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_payload_error(data: bytes) -> None:
    for packet in (data, b"SC\x02" + data, forge(data)):
        with pytest.raises(PayloadError):
            unpack(packet)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data(), st.binary(max_size=12), st.binary(max_size=40))
def test_a_forged_header_raises_nothing_but_payload_error(
    data: st.DataObject, spliced: bytes, body: bytes
) -> None:
    header = pack(Payload(replace(HEADER, source_height=720, source_width=960, camera=CAMERA), ()))
    header = header[5:-4]
    start, end = sorted(data.draw(st.integers(0, len(header))) for _ in range(2))
    try:
        payload = unpack(forge(header[:start] + spliced + header[end:], body))
    except PayloadError as error:
        assert error.reason == "malformed"
    else:
        assert payload.header.height * payload.header.width <= 64 * 2**20


def forged_part(kind: int, count: int) -> bytes:
    """A header of one part that claims to hold `count` of a kind."""
    to, blank = Wire(), pack(Payload(HEADER, ()))
    to.raw(bytes([blank[5] + 1]) + blank[6:-4], len(blank))
    to.text("labels")
    to.byte(kind)
    to.uint(count)
    return bytes(to.data)


@pytest.mark.parametrize(("kind", "count"), [(0, 2**62), (2, MAX_BYTES), (1, 7), (3, 2**69)])
def test_a_header_cannot_ask_for_more_than_it_brings(kind: int, count: int) -> None:
    with pytest.raises(PayloadError) as caught:
        unpack(forge(forged_part(kind, count)))
    assert caught.value.reason == "malformed"


def test_wire_format_1_is_of_another_version() -> None:
    with pytest.raises(PayloadError) as caught:
        unpack(b"SC\x01" + pack(TWO_PARTS)[3:])
    assert caught.value.reason == "version"


def test_more_than_4_mib_is_neither_packed_nor_unpacked() -> None:
    with pytest.raises(SemcomError, match="send less"):
        pack(Payload(HEADER, (Part("image", 0, bits=bytes(MAX_BYTES)),)))
    with pytest.raises(PayloadError, match="more than"):
        unpack(bytes(MAX_BYTES + 1))


def test_a_symbol_that_is_no_number_is_malformed() -> None:
    data = pack(SYMBOLS)
    symbol = SYMBOLS.parts[1].symbols[:1].tobytes()
    with pytest.raises(PayloadError, match="finite"):
        unpack(data.replace(symbol, np.array([np.nan], np.complex64).tobytes()))


def test_two_parts_cost_at_most_60_bytes_beside_their_bits_with_no_field_left_out() -> None:
    header = replace(
        HEADER, vehicle=2**32 - 1, sequence=2**21 - 1, reference=2**21 - 2, source_height=1080,
        source_width=1918,
    )  # fmt: skip
    assert len(pack(replace(TWO_PARTS, header=header))) - 440 <= 60


def test_budgets_add_up() -> None:
    for payload in (TWO_PARTS, SYMBOLS):
        whole = len(pack(replace(payload, snr_db=None)))
        assert header_bytes(payload.header) + parts_bytes(payload.parts) == whole


def test_intrinsics_and_mounting_come_back() -> None:
    header = replace(HEADER, source_height=720, source_width=960, camera=CAMERA)
    assert unpack(pack(Payload(header, ()))).header.camera == CAMERA
    for wrong in (replace(CAMERA, fx=float("nan")), replace(CAMERA, height=719)):
        with pytest.raises(SemcomError):
            replace(header, camera=wrong)


def test_a_lost_part_is_told_from_one_that_was_never_there() -> None:
    received = unpack(pack(SYMBOLS))
    assert received.bits("labels") == b"map"
    for name, reason in (("thumbnail", "lost"), ("depth", "malformed"), ("planes", "malformed")):
        with pytest.raises(PayloadError) as caught:
            received.bits(name)
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"codec": "sqgan"}, "codec"), ({"codec_version": 2}, "version"), ({"model": b""}, "model")],
)
def test_a_payload_for_another_decoder_is_named_as_such(change: dict, reason: str) -> None:
    HEADER.expect("gesco", 1, b"12345678")
    with pytest.raises(PayloadError) as caught:
        replace(HEADER, **change).expect("gesco", 1, b"12345678")
    assert caught.value.reason == reason


def test_the_rate_is_told_four_ways() -> None:
    rate = rates(512, 256, 512, 10.0)
    assert rate[:4] == (512, 0.03125, 40.96, 4096)
    assert str(rate) == (
        "512 bytes a frame, 0.0312 bits a pixel of 256x512, 41.0 kbit/s at 10 Hz, "
        "4096 channel uses a frame (QPSK, rate 1/2)"
    )


def test_inspect_tells_what_a_payload_holds() -> None:
    text = describe(pack(SYMBOLS))
    for fact in ("gesco/1", "256x512", "captured at 1700000000.123456789 s", "3.5 dB"):
        assert fact in text
    for fact in (
        "'labels', importance 0: 3 bytes",
        "6 symbols",
        "'thumbnail', importance 2: lost",
    ):
        assert fact in text


def test_what_a_payload_says_moves_no_cursor_of_who_inspects_it() -> None:
    loud = "a\n\x1b[2J"
    header = replace(HEADER, codec=loud, label_space=loud, task=loud)
    lines = describe(pack(Payload(header, (Part(loud, 0, bits=b"map"),)))).splitlines()
    assert len(lines) == len(describe(pack(Payload(HEADER, TWO_PARTS.parts[:1]))).splitlines())
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("what", ["codec", "label_space"])
def test_what_a_payload_says_is_quoted_on_one_line(what: str) -> None:
    header = replace(HEADER, **{what: "a\n\x1b[2J"})
    with pytest.raises(PayloadError, match=r"a\\n\\x1b\[2J"):
        check_header(header, "gesco", codec_of("gesco"), HEADER.model)
