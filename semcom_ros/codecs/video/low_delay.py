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


Openings = tuple[bytes, bytes]
"""What stands before the packet of a key picture, and before any other: known to both ends."""


@dataclass(frozen=True)
class VideoCoder:
    """An encoder and a decoder by FFmpeg's names.

    options: of the encoder, from kbit/s, the frames between key pictures and those that the
    buffer of the rate control holds. openings: of its packets, from the first, that the receiver
    can put back.
    """

    encoder: str
    decoder: str
    options: Callable[[int, int, float], dict[str, str]]
    openings: Callable[[bytes], Openings] = lambda first: (b"", b"")


@dataclass(frozen=True)
class Packet:
    """One frame as it is sent. key: it needs no other. encode_ms: wall time."""

    bits: bytes
    key: bool
    encode_ms: float


@dataclass(frozen=True)
class Stream:
    """A drive's packets, one a frame, without their openings. head: parameter sets."""

    head: bytes
    packets: tuple[Packet, ...]
    openings: Openings = (b"", b"")


def _x264(kbps: int, gop: int, buffer: float) -> dict[str, str]:
    more = f"{_rate(kbps, buffer)}:keyint={gop}:min-keyint={gop}:scenecut=0"
    return {"preset": "slow", "tune": "psnr,zerolatency", "x264-params": f"{more}:log-level=none"}


def _x265(kbps: int, gop: int, buffer: float) -> dict[str, str]:
    more = (
        f"{_rate(kbps, buffer)}:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:aq-mode=0:"
        "psy-rd=0:psy-rdoq=0:info=0:log-level=none:pools=none:frame-threads=1:no-wpp=1"
    )
    return {"preset": "medium", "tune": "zerolatency", "x265-params": more}


def _svtav1(kbps: int, gop: int, buffer: float) -> dict[str, str]:
    milliseconds = max(20, int(1000 * buffer / RATE_HZ))
    more = f"rc=2:tbr={kbps}:buf-sz={milliseconds}:pred-struct=1:keyint={gop}:lp=1:tune=1"
    return {"preset": "6", "svtav1-params": more}


def _rate(kbps: int, buffer: float) -> str:
    held = max(1, int(kbps * buffer / RATE_HZ))
    return f"bitrate={kbps}:vbv-maxrate={kbps}:vbv-bufsize={held}"


def _av1_openings(first: bytes) -> Openings:
    """Temporal delimiter and sequence header, and the delimiter alone."""
    delimiter = first[:2]
    assert delimiter == b"\x12\x00" and first[2] == 0x0A, "no AV1 temporal unit of a key picture"
    return first[: 4 + first[3]], delimiter


def _hevc_openings(first: bytes) -> Openings:
    """Start code and NAL header of an IDR slice, and of a slice that others lean on."""
    return b"\0\0\0\1\x28\x01", b"\0\0\0\1\x02\x01"


VIDEO_CODERS = {
    "x264": VideoCoder("libx264", "h264", _x264),
    "x265": VideoCoder("libx265", "hevc", _x265, _hevc_openings),
    "svtav1": VideoCoder("libsvtav1", "libdav1d", _svtav1, _av1_openings),
}


class StreamEncoder:
    """Pictures in, one by one, and each one's packet out.

    height, width: even. n_bytes: the target a frame. gop, buffer: as `VideoCoder.options` takes
    them. head: parameter sets; openings: those of the packets, from the first on.
    """

    def __init__(
        self, coder: VideoCoder, height: int, width: int, n_bytes: float, gop: int, buffer: float
    ):
        import av

        os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1's only switch: it tells of itself else
        kbps = max(1, round(8 * n_bytes * RATE_HZ / 1000))
        context = cast("av.VideoCodecContext", av.CodecContext.create(coder.encoder, "w"))
        context.width, context.height, context.pix_fmt = width, height, FORMAT
        context.time_base, context.framerate = Fraction(1, RATE_HZ), Fraction(RATE_HZ)
        context.thread_count, context.bit_rate, context.gop_size = 1, 1000 * kbps, gop
        context.flags |= av.codec.context.Flags.global_header
        context.options = coder.options(kbps, gop, buffer)
        with unchanged_priority():
            context.open()
        self.coder, self._context = coder, context
        self.head, self.openings = bytes(context.extradata or b""), (b"", b"")
        self._frames = 0

    def encode(self, image: np.ndarray) -> Packet:
        """That of `image`, uint8 [H, W, 3] BGR. Raises SemcomError where none comes at once."""
        import av

        started = perf_counter()
        frame = av.VideoFrame.from_ndarray(to_planes(image), format=FORMAT)
        frame.pts = self._frames
        packets = self._context.encode(frame)
        encode_ms = 1e3 * (perf_counter() - started)
        if len(packets) != 1:
            raise SemcomError(
                f"{self.coder.encoder} gave {len(packets)} packets for frame {self._frames}."
            )
        bits, key = _without_note(bytes(packets[0])), packets[0].is_keyframe
        if not self._frames:
            self.openings = self.coder.openings(bits)
        opening = self.openings[not key]
        if not bits.startswith(opening):
            raise SemcomError(
                f"{self.coder.encoder} opens the packet of frame {self._frames} otherwise."
            )
        self._frames += 1
        return Packet(bits[len(opening) :], key, encode_ms)


class StreamDecoder:
    """Packets in, and each one's picture out. options: of FFmpeg's decoder."""

    def __init__(self, coder: VideoCoder, head: bytes, **options: str):
        import av

        self._context: Any = av.CodecContext.create(coder.decoder, "r")
        self._context.thread_count, self._context.extradata = 1, head
        self._context.options = options

    def decode(self, whole: bytes | None) -> Iterator[np.ndarray]:
        """The pictures uint8 [H, W, 3] BGR that a packet with its opening gives; None: the rest."""
        import av

        for frame in self._context.decode(None if whole is None else av.Packet(whole)):
            yield from_planes(frame.to_ndarray(), frame.height, frame.width)


def encode(
    coder: VideoCoder, images: Sequence[np.ndarray], n_bytes: float, gop: int, buffer: int
) -> Stream:
    """Code `images`, uint8 [H, W, 3] BGR with even sides, at a target of `n_bytes` a frame.

    Raises SemcomError where the encoder does not give a packet for every frame.
    """
    height, width = images[0].shape[:2]
    encoder = StreamEncoder(coder, height, width, n_bytes, gop, buffer)
    packets = tuple(map(encoder.encode, images))
    return Stream(encoder.head, packets, encoder.openings)


def decode(coder: VideoCoder, stream: Stream) -> Iterator[np.ndarray]:
    """The pictures of the whole stream, uint8 [H, W, 3] BGR."""
    decoder = StreamDecoder(coder, stream.head)
    for packet in stream.packets:
        yield from decoder.decode(stream.openings[not packet.key] + packet.bits)
    yield from decoder.decode(None)


def _without_note(bits: bytes) -> bytes:
    return bits[bits.index(_START, len(_NOTE)) :] if bits.startswith(_NOTE) else bits
