# SPDX-License-Identifier: Apache-2.0
"""What a low-delay video encoder leaves of training frames, in streams that OpenCV alone decodes.

A still says nothing of how its picture looks after a few frames of video: blocks that were copied,
edges that were left behind. So every still becomes a short clip of a camera that drives towards it
through a corridor (road below, walls at the sides), coded as video, and the last picture is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.codecs.image.still_video import unchanged_priority
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE

CLIP = 4
"""Frames of a clip; the last is the still itself."""


class Coding(NamedTuple):
    """One coding of the frames. scale: of the sides. quantisers: first and last, drawn evenly.
    every: of so many frames one is in it."""

    scale: float
    quantisers: tuple[int, int]
    every: int


CODINGS = {
    "low": Coding(0.375, (36, 41), 2),
    "middle": Coding(0.5, (34, 39), 1),
    "second": Coding(0.5, (34, 39), 4),
    "high": Coding(0.75, (32, 37), 4),
}
"""Of about 70 to 250, 150 to 450 and 350 to 900 bytes a frame at 10 to 15 Hz: what a picture may
take of a payload of 256, 512 and 1024 bytes."""
_OPTIONS = (
    "keyint=-1:scenecut=0:aq-mode=0:psy-rd=0:psy-rdoq=0:info=0:log-level=none:pools=none:"
    "frame-threads=1:no-wpp=1:ctu=32:ipratio=0.8:repeat-headers=1"
)


def approach(image: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """`CLIP` frames like `image` uint8 [256, 512, 3], at 10 to 15 Hz, that end with it."""
    height, width = image.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    from_x, from_y = x - width * rng.uniform(0.4, 0.6), y - height * rng.uniform(0.35, 0.55)
    # Depth in focal lengths times metres: the road lies 1.5 m below, walls stand 4 to 12 m aside.
    focal = width * rng.uniform(0.7, 1.1)
    road = 1.5 * focal / np.maximum(from_y, 1)
    wall = rng.uniform(4, 12) * focal / np.maximum(np.abs(from_x), 1)
    near = 1 / np.clip(np.minimum(road, wall), 4, 80)
    metres = rng.choice((0.0, 1.0), p=(0.15, 0.85)) * rng.uniform(0.1, 1.2)
    turn, nod = rng.normal(0, 1.5), rng.normal(0, 0.4)
    frames = []
    for back in range(CLIP - 1, 0, -1):
        shift = back * metres * near
        frames.append(
            cv2.remap(
                image,
                np.float32(x + from_x * shift + back * turn),
                np.float32(y + from_y * shift + back * nod * rng.uniform(0.5, 1.5)),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        )
    return [*frames, image]


def encode(clip: Sequence[np.ndarray], scale: float, quantiser: int) -> tuple[bytes, int]:
    """x265's stream of a clip of images uint8 [H, W, 3] RGB, which begins anew at its first, and
    the bytes of its last frame."""
    import av

    height, width = (2 * round(side * scale / 2) for side in clip[0].shape[:2])
    context = av.CodecContext.create("libx265", "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.time_base, context.framerate, context.thread_count = Fraction(1, 10), Fraction(10), 1
    context.options = {
        "preset": "medium",
        "tune": "zerolatency",
        "x265-params": f"qp={quantiser}:{_OPTIONS}",
    }
    with unchanged_priority():
        context.open()
    packets: list[bytes] = []
    for index, image in enumerate(clip):
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        # Limited range: OpenCV takes every stream for such.
        frame = av.VideoFrame.from_ndarray(small, format="rgb24").reformat(format="yuv420p")
        frame.pts = index
        packets += map(bytes, context.encode(frame))
    packets += map(bytes, context.encode(None))
    return b"".join(packets), len(packets[-1])


def decode(path: Path) -> Iterator[np.ndarray]:
    """The last picture of every clip in the stream `path`, at its own size, uint8 RGB."""
    reader = cv2.VideoCapture(str(path))
    if not reader.isOpened():
        raise SemcomError(f"OpenCV cannot read the video stream '{path}'.")
    index = 0
    while True:
        index += 1
        if not reader.grab():
            return
        if index % CLIP == 0:
            yield cv2.cvtColor(reader.retrieve()[1], cv2.COLOR_BGR2RGB)


def grown(picture: np.ndarray) -> np.ndarray:
    """A decoded picture at the size of work, as the decoder shows it."""
    return cv2.resize(picture, WORK_SIZE[::-1], interpolation=cv2.INTER_CUBIC)
