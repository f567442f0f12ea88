# SPDX-License-Identifier: Apache-2.0
"""The seal in the wire format, and what it vouches for."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest

from semcom_ros.channel import Channel
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera
from semcom_ros.lab.inspect_payload import describe
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack, sealed_bytes, unpack

HEADER = Header("gesco", 1, b"12345678", 256, 512, "cityscapes19", 40_000, 1_700_000_000 * 10**9)
TWO_PARTS = Payload(
    HEADER, (Part("labels", 0, bits=b"m" * 400), Part("thumbnail", 1, bits=b"c" * 40))
)
CAMERA = Camera(720, 960, 830.5, 831.0, 479.5, 359.5, (0.25, -0.5))


def oversealed(seal: bytes) -> bytes:
    """A packet without parts, its checksum right, whatever the length of the seal."""
    header = pack(Payload(HEADER, ()))[5:-4] + seal
    head = struct.pack(">2sBH", b"SC", 2, len(header)) + header
    return head + struct.pack(">I", zlib.crc32(head))


def test_a_seal_takes_its_own_bytes_and_no_more_than_512() -> None:
    sealed = pack(replace(TWO_PARTS, seal=bytes(85)))
    assert len(sealed) == len(pack(TWO_PARTS)) + 85
    assert "85 bytes" in describe(sealed)
    with pytest.raises(SemcomError, match="512"):
        replace(TWO_PARTS, seal=bytes(513))
    with pytest.raises(PayloadError, match="512"):
        unpack(oversealed(bytes(513)))


def test_what_a_seal_vouches_for_is_the_same_after_the_radio_and_no_other_frame_s() -> None:
    header = replace(HEADER, source_height=720, source_width=960, camera=replace(CAMERA, fx=1 / 3))
    sent = Payload(header, (*TWO_PARTS.parts, Part("planes", 2, symbols=np.ones(6, np.complex64))))
    channel = Channel(seed=3, channel="rayleigh", snr_db=4.0)
    arrived = [unpack(pack(channel.transmit(sent))) for _ in range(20)]
    assert {part.erased for one in arrived for part in one.parts} == {False, True}
    assert {sealed_bytes(one) for one in arrived} == {sealed_bytes(sent)}
    swapped = replace(sent, parts=sent.parts[::-1])
    others = (replace(sent, header=replace(header, stamp=1)), swapped)
    assert sealed_bytes(sent) not in map(sealed_bytes, others)
