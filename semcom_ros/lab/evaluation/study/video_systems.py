# SPDX-License-Identifier: Apache-2.0
"""Video at a byte rate: x264, x265 and SVT-AV1 in low-delay mode over a whole drive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import cv2
import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs.image import PART
from semcom_ros.codecs.image.rate_control import Aimed, aim
from semcom_ros.codecs.video.low_delay import VIDEO_CODERS, Stream, decode, encode
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import Outcome, concealed, rate_of, symbols_sent, timed
from semcom_ros.payload import Header, Part, Payload, pack
from semcom_ros.reconstruction import Reconstruction

BEST = "best"
SIDES = (1.0, 0.5, 0.25)
"""Smaller ones gain nothing: at 128 bytes on CamVid 1/8 lost 0.2 dB with x264 and 0.4 with x265."""


class _Coded(NamedTuple):
    """A drive as it is sent, frame by frame, and as it looks where nothing was lost.

    decode_ms: wall time a frame. psnr: mean over the frames, dB.
    """

    stream: Stream
    payloads: tuple[Payload, ...]
    shown: tuple[Reconstruction, ...]
    decode_ms: float
    psnr: float


class VideoSystem:
    """A video encoder whose packets take `payload_bytes` a frame, the mean over the drive.

    gop: frames from one key picture to the next. buffer: frames whose bytes the rate control may
    owe: a key picture takes several frames' share. scale: of the picture's sides, 0.1 to 1, or
    `best`: of `SIDES`, the one with the highest mean PSNR on this drive.

    The encoder sees no frame before its time, but its target is one with hindsight: the one that
    brings the mean of this drive nearest below `payload_bytes`, so that bytes are equal where
    systems are compared. A drive that does not fit at the encoder's coarsest is not sent. A frame
    that is lost takes all up to the next key picture with it, and the last good one stands; from
    there on the picture is as if nothing had been lost.
    """

    uses_labels = False
    links = frozenset({NONE, "channel"})
    models: tuple[Path, ...] = ()
    codec: ClassVar[str]

    def __init__(
        self, payload_bytes: int = 512, gop: int = 10, buffer: int = 5, scale: float | str = BEST
    ) -> None:
        for name, value in (("payload_bytes", payload_bytes), ("gop", gop), ("buffer", buffer)):
            if type(value) is not int or value < 1:
                raise SemcomError(
                    f"{name} of '{self.codec}' is {value!r}: give a whole number from 1."
                )
        if scale != BEST and not (isinstance(scale, int | float) and 0.1 <= scale <= 1):
            raise SemcomError(f"The scale of '{self.codec}' is {scale}: give 0.1 to 1, or {BEST}.")
        self.setting = payload_bytes
        self._gop, self._buffer = gop, buffer
        self._scales = SIDES if scale == BEST else (float(scale),)
        self.end()

    def prepare(self, frames: Sequence[Frame]) -> None:
        if self._frames is frames:
            return
        self.end()
        self._frames = frames
        tries = [self._code(frames, scale) for scale in self._scales]
        coded = [one for one in tries if isinstance(one, _Coded)]
        self._coded = max(coded, key=lambda one: one.psnr, default=None)
        if self._coded is None:
            self._refusal = (
                f"This drive needs {min(tries):.0f} bytes a frame with '{self.codec}', the "
                f"setting is {self.setting}: raise payload_bytes or lower scale."
            )

    def _code(self, frames: Sequence[Frame], scale: float) -> _Coded | float:
        """The drive at `scale`, or the least bytes a frame that it needs there."""
        coder = VIDEO_CODERS[self.codec]
        images = [_shrink(frame.image[:, :, ::-1], scale) for frame in frames]

        def at(n_bytes: float) -> tuple[Stream, float]:
            stream = encode(coder, images, n_bytes, self._gop, self._buffer)
            return stream, float(np.mean([len(pack(p)) for p in self._payloads(stream, frames)]))

        aimed: Aimed[Stream] = aim(at, self.setting)
        if aimed.best is None:
            return aimed.least
        size = images[0].shape[:2]
        pictures, decode_ms = timed(lambda: list(decode(coder, aimed.best, *size)))
        shown = tuple(_grow(p, f) for p, f in zip(pictures, frames, strict=True))
        quality = [cv2.PSNR(s.image, f.image) for s, f in zip(shown, frames, strict=True)]
        return _Coded(
            aimed.best,
            self._payloads(aimed.best, frames),
            shown,
            decode_ms / len(frames),
            float(np.mean(quality)),
        )

    def begin(self, link: Link, seed: int) -> None:
        self._ideal, self._channel = link.kind == NONE, link.channel(seed)
        self._last: Reconstruction | None = None
        self._unbroken = False

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        concealment = concealed(frame, self._last, gives_labels=False)
        if self._coded is None:
            return Outcome(concealment, lost=True, refusal=self._refusal, budget=self.setting)
        coded, packet = self._coded, self._coded.stream.packets[index]
        rate = rate_of(coded.payloads[index], frame)
        received = self._channel.transmit(coded.payloads[index])
        outcome = Outcome(
            concealment,
            None,
            rate.bytes,
            rate.bits_per_pixel,
            rate.channel_uses if self._ideal else symbols_sent(self._channel),
            packet.encode_ms,
            lost=True,
            budget=self.setting,
            container_bytes=len(coded.stream.head) if packet.key else 0,
        )
        arrived = not received.part(PART).erased
        self._unbroken = arrived and (packet.key or self._unbroken)
        if not self._unbroken:
            return outcome
        self._last = coded.shown[index]
        return replace(outcome, reconstruction=self._last, decode_ms=coded.decode_ms, lost=False)

    def end(self) -> None:
        self._frames: Sequence[Frame] | None = None
        self._coded: _Coded | None = None
        self._refusal = ""

    def _payloads(self, stream: Stream, frames: Sequence[Frame]) -> tuple[Payload, ...]:
        height, width = frames[0].image.shape[:2]
        return tuple(
            Payload(
                Header(self.codec, 1, b"", height, width, "", index, frame.stamp),
                (Part(PART, 0, bits=packet.bits),),
            )
            for index, (packet, frame) in enumerate(zip(stream.packets, frames, strict=True))
        )


class X264(VideoSystem):
    """H.264."""

    codec = "x264"


class X265(VideoSystem):
    """HEVC."""

    codec = "x265"


class SvtAv1(VideoSystem):
    """AV1."""

    codec = "svtav1"


def _shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """uint8 [H, W, 3] at `scale`, with even sides as 4:2:0 wants them."""
    height, width = (2 * round(side * scale / 2) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _grow(image: np.ndarray, frame: Frame) -> Reconstruction:
    height, width = frame.image.shape[:2]
    full = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    return Reconstruction(image=np.ascontiguousarray(full[:, :, ::-1]))
