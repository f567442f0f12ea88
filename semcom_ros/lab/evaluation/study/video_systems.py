# SPDX-License-Identifier: Apache-2.0
"""Video at a byte rate: x264, x265 and SVT-AV1 in low-delay mode over a whole drive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np

from semcom_ros.codecs.base import Received, Request
from semcom_ros.codecs.image import PART
from semcom_ros.codecs.image.rate_control import aim
from semcom_ros.codecs.video.low_delay import VIDEO_CODERS, Packet, Stream, decode, encode
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System
from semcom_ros.lab.evaluation.timing import timed
from semcom_ros.payload import Part, PayloadError, parts_bytes
from semcom_ros.reconstruction import Reconstruction

BEST = "best"
SIDES = (1.0, 0.5, 0.25)
"""Smaller ones gain nothing: at 128 bytes on CamVid 1/8 lost 0.2 dB with x264 and 0.4 with x265."""
_ONE_BYTE = 128
"""Frames whose numbers take one byte of a header; those of longer drives take two."""


def video(
    codec: str,
    payload_bytes: int = 512,
    gop: int = 10,
    buffer: int = 5,
    scale: float | str = BEST,
) -> System:
    """A video encoder whose packets take `payload_bytes` a frame, the mean over the drive.

    gop: frames from one key picture to the next. buffer: frames whose bytes the rate control may
    owe: a key picture takes several frames' share. scale: of the picture's sides, 0.1 to 1, or
    `best`: of `SIDES`, the one with the highest mean PSNR on this drive. Raises SemcomError.

    The encoder sees no frame before its time, but its target is one with hindsight: the one that
    brings the mean of this drive nearest below `payload_bytes`, so that bytes are equal where
    systems are compared. A drive that does not fit at the encoder's coarsest is not sent. A frame
    that is lost takes all up to the next key picture with it, and the last good one stands; from
    there on the picture is as if nothing had been lost.
    """
    for name, value in (("payload_bytes", payload_bytes), ("gop", gop), ("buffer", buffer)):
        if type(value) is not int or value < 1:
            raise SemcomError(f"{name} of '{codec}' is {value!r}: give a whole number from 1.")
    if scale != BEST and not (isinstance(scale, int | float) and 0.1 <= scale <= 1):
        raise SemcomError(f"The scale of '{codec}' is {scale}: give 0.1 to 1, or {BEST}.")
    scales = SIDES if scale == BEST else (float(scale),)
    return _Video(codec, payload_bytes, gop, buffer, scales).system(
        codec, payload_bytes, budget=payload_bytes, refresh_every=gop
    )


x264, x265, svtav1 = (partial(video, codec) for codec in ("x264", "x265", "svtav1"))


class _Coded(NamedTuple):
    """A drive as it is sent, frame by frame, and as it looks where nothing was lost.

    shown: uint8 [H, W, 3] RGB each. decode_ms: wall time a frame. psnr: mean over the frames, dB.
    """

    stream: Stream
    shown: list[np.ndarray]
    decode_ms: float
    psnr: float


@dataclass
class _Video(StudyCodec):
    """The encoder codes the drive that it was told of at its first frame."""

    codec: str
    budget: int
    gop: int
    buffer: int
    scales: Sequence[float]
    leans = True

    def prepare(self, frames: Sequence[Frame]) -> None:
        """Begin with the drive `frames`; the one before is forgotten."""
        self._images = [frame.image for frame in frames]
        self._coded: _Coded | SemcomError | None = None

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The next frame's packet. Raises SemcomError where the drive does not fit."""
        if self._coded is None:
            overhead = self.budget - request.budget_bytes + (len(self._images) > _ONE_BYTE)
            overhead += request.seal_bytes
            self._coded = self._best(overhead)
            if isinstance(self._coded, _Coded):
                self._packets = iter(self._coded.stream.packets)
        if isinstance(self._coded, SemcomError):
            raise self._coded
        self._packet = next(self._packets)
        self.decode_ms = self._coded.decode_ms
        return _parts(self._packet)

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """The time it took, and the parameter sets that a file has at every key picture."""
        head = len(self._coded.stream.head) if self._packet.key else 0
        return {"container_bytes": head, "encode_ms": self._packet.encode_ms}

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        """As the whole stream has it. Raises PayloadError where not all since the key came."""
        index = received.payload.header.sequence
        received.payload.bits(PART)
        before = received.memory.image
        if not self._coded.stream.packets[index].key and (not before or before[0] != index - 1):
            raise PayloadError("reference", f"Frame {index} leans on frame {index - 1}.")
        return self._coded.shown[index]

    def _best(self, overhead: int) -> _Coded | SemcomError:
        """The drive at the scale that suits it best, or why it cannot be sent.

        overhead: bytes of a payload without its parts.
        """
        tries = [self._at(scale, overhead) for scale in self.scales]
        coded = [one for one in tries if isinstance(one, _Coded)]
        if coded:
            return max(coded, key=lambda one: one.psnr)
        return SemcomError(
            f"This drive needs {min(tries):.0f} bytes a frame with '{self.codec}', the "
            f"setting is {self.budget}: raise payload_bytes or lower scale."
        )

    def _at(self, scale: float, overhead: int) -> _Coded | float:
        """The drive at `scale`, or the least bytes a frame that it needs there."""
        coder = VIDEO_CODERS[self.codec]
        images = [_shrink(image[:, :, ::-1], scale) for image in self._images]

        def at(n_bytes: float) -> tuple[Stream, float]:
            stream = encode(coder, images, n_bytes, self.gop, self.buffer)
            sizes = [overhead + parts_bytes(_parts(packet)) for packet in stream.packets]
            return stream, float(np.mean(sizes))

        stream, _, least = aim(at, self.budget)
        if stream is None:
            return least
        pictures, ms = timed(lambda: list(decode(coder, stream)))
        shown = [_grow(*pair) for pair in zip(pictures, self._images, strict=True)]
        quality = [cv2.PSNR(*pair) for pair in zip(shown, self._images, strict=True)]
        return _Coded(stream, shown, ms / len(shown), float(np.mean(quality)))


def _parts(packet: Packet) -> tuple[Part, ...]:
    return (Part(PART, 0, bits=packet.bits),)


def _shrink(image: np.ndarray, scale: float) -> np.ndarray:
    """uint8 [H, W, 3] at `scale`, with even sides as 4:2:0 wants them."""
    height, width = (2 * round(side * scale / 2) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _grow(picture: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A picture uint8 [h, w, 3] BGR at the size of the frame's `image`, in RGB."""
    full = cv2.resize(picture, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(full[:, :, ::-1])
