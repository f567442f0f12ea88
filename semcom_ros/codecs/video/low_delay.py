# SPDX-License-Identifier: Apache-2.0
"""A drive through a video encoder of FFmpeg (PyAV) in low-delay mode: one frame in, one packet out.

Nothing is reordered and nothing looked ahead at. Every `gop` frames a key picture begins anew, so
that a receiver that lost a packet can go on. Parameter sets are taken out of the stream: both ends
know them from the start of the session, as those of the single pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from time import perf_counter
from typing import Any, cast

import numpy as np

from semcom_ros.codecs.image.still_video import FORMAT, from_planes, to_planes, unchanged_priority
from semcom_ros.errors import SemcomError

RATE_HZ = 100
"""What the encoder is told. It counts its bit rate in kbit/s: at this rate 1.25 bytes a frame."""

_START = b"\x00\x00\x01"
_NOTE = _START + b"\x06"
"""Begins what x264 tells of itself in front of the first picture: 650 bytes that nobody needs."""


@dataclass(frozen=True)
class VideoCoder:
    """An encoder and a decoder by FFmpeg's names.

    options: of the encoder, from kbit/s, the frames between key pictures and those that the
    buffer of the rate control holds. opened: whether its packets open with a delimiter, those of
    key pictures with a sequence header as well, that the receiver can put back.
    """

    encoder: str
    decoder: str
    options: Callable[[int, int, int], dict[str, str]]
    opened: bool = False


@dataclass(frozen=True)
class Packet:
    """One frame as it is sent. key: it needs no other. encode_ms: wall time."""

    bits: bytes
    key: bool
    encode_ms: float


@dataclass(frozen=True)
class Stream:
    """A drive's packets, one a frame. head: parameter sets, known to both ends.

    openings: what stands before the packet of a key picture, and before any other: known as well.
    """

    head: bytes
    packets: tuple[Packet, ...]
    openings: tuple[bytes, bytes] = (b"", b"")


def _x264(kbps: int, gop: int, buffer: int) -> dict[str, str]:
    more = f"{_rate(kbps, buffer)}:keyint={gop}:min-keyint={gop}:scenecut=0"
    return {"preset": "slow", "tune": "psnr,zerolatency", "x264-params": f"{more}:log-level=none"}


def _x265(kbps: int, gop: int, buffer: int) -> dict[str, str]:
    more = (
        f"{_rate(kbps, buffer)}:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:aq-mode=0:"
        "psy-rd=0:psy-rdoq=0:info=0:log-level=none:pools=none:frame-threads=1:no-wpp=1"
    )
    return {"preset": "medium", "tune": "zerolatency", "x265-params": more}


def _svtav1(kbps: int, gop: int, buffer: int) -> dict[str, str]:
    milliseconds = max(20, 1000 * buffer // RATE_HZ)
    more = f"rc=2:tbr={kbps}:buf-sz={milliseconds}:pred-struct=1:keyint={gop}:lp=1:tune=1"
    return {"preset": "6", "svtav1-params": more}


def _rate(kbps: int, buffer: int) -> str:
    return f"bitrate={kbps}:vbv-maxrate={kbps}:vbv-bufsize={max(1, kbps * buffer // RATE_HZ)}"


VIDEO_CODERS = {
    "x264": VideoCoder("libx264", "h264", _x264),
    "x265": VideoCoder("libx265", "hevc", _x265),
    "svtav1": VideoCoder("libsvtav1", "libdav1d", _svtav1, opened=True),
}


def encode(
    coder: VideoCoder, images: Sequence[np.ndarray], n_bytes: float, gop: int, buffer: int
) -> Stream:
    """Code `images`, uint8 [H, W, 3] BGR with even sides, at a target of `n_bytes` a frame.

    Raises SemcomError where the encoder does not give a packet for every frame.
    """
    import av

    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1's only switch; by default it tells of itself
    height, width = images[0].shape[:2]
    kbps = max(1, round(8 * n_bytes * RATE_HZ / 1000))
    context = cast("av.VideoCodecContext", av.CodecContext.create(coder.encoder, "w"))
    context.width, context.height, context.pix_fmt = width, height, FORMAT
    context.time_base, context.framerate = Fraction(1, RATE_HZ), Fraction(RATE_HZ)
    context.thread_count, context.bit_rate, context.gop_size = 1, 1000 * kbps, gop
    context.flags |= av.codec.context.Flags.global_header
    context.options = coder.options(kbps, gop, buffer)
    with unchanged_priority():
        context.open()
    packets: list[Packet] = []
    openings = (b"", b"")
    for index, image in enumerate(images):
        started = perf_counter()
        frame = av.VideoFrame.from_ndarray(to_planes(image), format=FORMAT)
        frame.pts = index
        for packet in context.encode(frame):
            encode_ms = 1e3 * (perf_counter() - started)
            bits = _without_note(bytes(packet))
            if coder.opened and not packets:
                openings = _openings(bits)
            opening = openings[not packet.is_keyframe]
            if not bits.startswith(opening):
                raise SemcomError(f"{coder.encoder} opens the packet of frame {index} otherwise.")
            packets.append(Packet(bits[len(opening) :], packet.is_keyframe, encode_ms))
    context.encode(None)
    if len(packets) != len(images):
        raise SemcomError(f"{coder.encoder} gave {len(packets)} packets for {len(images)} frames.")
    return Stream(bytes(context.extradata or b""), tuple(packets), openings)


def decode(coder: VideoCoder, stream: Stream, height: int, width: int) -> Iterator[np.ndarray]:
    """The pictures of the whole stream, uint8 [height, width, 3] BGR."""
    import av

    context: Any = av.CodecContext.create(coder.decoder, "r")
    context.thread_count, context.extradata = 1, stream.head
    whole = (stream.openings[not p.key] + p.bits for p in stream.packets)
    for packet in (*map(av.Packet, whole), None):
        for frame in context.decode(packet):
            yield from_planes(frame.to_ndarray(), height, width)


def _openings(first: bytes) -> tuple[bytes, bytes]:
    """Those of an AV1 stream: temporal delimiter and sequence header, and the delimiter alone."""
    delimiter = first[:2]
    assert delimiter == b"\x12\x00" and first[2] == 0x0A, "no AV1 temporal unit of a key picture"
    return first[: 4 + first[3]], delimiter


def _without_note(bits: bytes) -> bytes:
    return bits[bits.index(_START, len(_NOTE)) :] if bits.startswith(_NOTE) else bits
