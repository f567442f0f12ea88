# SPDX-License-Identifier: Apache-2.0
"""One picture through a video codec of FFmpeg (PyAV): 4:2:0, 8 bits, JPEG's full-range YCbCr."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from semcom_ros.frame import WORK_SIZE

if TYPE_CHECKING:
    import av

FORMAT = "yuv420p"
_MAX_PIXELS = 2 * math.prod(WORK_SIZE)
"""Most that a decoder may ask memory for; it pads small pictures."""


def encode(codec: str, image: np.ndarray, options: dict[str, str]) -> bytes:
    """The stream of the one picture `image` uint8 [H, W, 3] BGR, both sides even."""
    import av

    height, width = image.shape[:2]
    context = cast("av.VideoCodecContext", av.CodecContext.create(codec, "w"))
    context.width, context.height, context.pix_fmt = width, height, FORMAT
    context.time_base, context.framerate = Fraction(1, 10), Fraction(10)
    context.thread_count = 1
    context.options = options
    with unchanged_priority():
        context.open()
    frame = av.VideoFrame.from_ndarray(to_planes(image), format=FORMAT)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def decode(codec: str, stream: bytes, height: int, width: int) -> np.ndarray | None:
    """The one picture in `stream`, uint8 [H, W, 3] BGR, or None where it holds none of this size.

    A picture that the decoder had to mend counts as none.
    """
    import av

    context = cast("av.VideoCodecContext", av.CodecContext.create(codec, "r"))
    context.thread_count = 1
    context.options = {"err_detect": "explode", "max_pixels": str(_MAX_PIXELS)}
    try:
        frames = [*context.decode(av.Packet(stream)), *context.decode(None)]
    except av.FFmpegError:
        return None
    if len(frames) != 1 or frames[0].is_corrupt:
        return None
    frame = frames[0]
    if (frame.height, frame.width, frame.format.name) != (height, width, FORMAT):
        return None
    return from_planes(frame.to_ndarray(), height, width)


def to_planes(image: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr under each other, uint8 [H * 3 / 2, W]."""
    height, width = image.shape[:2]
    y, cr, cb = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    half = (width // 2, height // 2)
    chroma = [cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (cb, cr)]
    return np.concatenate([plane.ravel() for plane in (y, *chroma)]).reshape(-1, width)


def from_planes(planes: np.ndarray, height: int, width: int) -> np.ndarray:
    y, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
    size = (width, height)
    cb, cr = (cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in chroma)
    return cv2.cvtColor(cv2.merge([y, cr, cb]), cv2.COLOR_YCrCb2BGR)


@contextmanager
def unchanged_priority() -> Iterator[None]:
    """What the body does leaves every thread's scheduling as it was, new threads' as the caller's.

    SVT-AV1 makes its own threads and the caller's SCHED_FIFO where it may, as root in containers:
    such a real-time priority starves all else on the machine.
    """
    before, own = _policies(), os.sched_getscheduler(0)
    try:
        yield
    finally:
        for thread, policy in _policies().items():
            usual = before.get(thread, own)
            if policy != usual:
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, usual, os.sched_param(0))


def _policies() -> dict[int, int]:
    found = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            found[int(task.name)] = os.sched_getscheduler(int(task.name))
    return found
