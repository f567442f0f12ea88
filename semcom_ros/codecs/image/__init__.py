# SPDX-License-Identifier: Apache-2.0
"""Single pictures in a standard's bits, there in whole or not at all: the classical links.

Every codec of this family sends one part of bits: a byte that tells the picture's size as
thirty-seconds of the frame's, then what its `Coder` made of a picture of that size. Whatever
both ends know is left out: containers, and the headers that follow from the size alone. The decoder
makes those anew, by coding a blank picture with the same library. So both ends need libraries that
write the same headers, which a test pins per codec version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from semcom_ros.codecs.base import Codec

PART = "image"
STEPS = 32
"""A picture's size is told in this part of the frame's."""
SIZES = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32)


@dataclass(frozen=True, eq=False)
class Coder:
    """One standard: pictures uint8 [h, w, 3] BGR to bits and back.

    split: a picture and one of the coder's own qualities to what both ends know of its stream, and
    the bits that cross. restore: those bits, the header, height and width to the picture, or None
    where they hold none of that size; PayloadError malformed for what a decoder must not see.
    qualities: by growing bytes. blank: the quality at which headers are made. closing: bytes of the
    standard's own file beyond header and bits. scales: sizes that the decoder takes, in `STEPS`.
    sizes: those that the encoder tries, from the smallest. ladder: scale and quality of operating
    points by growing bytes on street scenes, or none. estimate: about how many bits `split` gives
    at a point of the ladder, in bytes, found in a fraction of its time.
    """

    standard: str
    split: Callable[[np.ndarray, int], tuple[bytes, bytes]]
    restore: Callable[[bytes, bytes, int, int], np.ndarray | None]
    qualities: Sequence[int]
    blank: int
    closing: int
    scales: Sequence[int] = SIZES
    sizes: Sequence[int] = SIZES
    ladder: tuple[tuple[int, int], ...] = ()
    estimate: Callable[[np.ndarray, int], int] = lambda image, quality: 0


@cache
def header(coder: Coder, height: int, width: int) -> bytes:
    """What both ends know of the stream of a picture of this size."""
    return coder.split(np.zeros((height, width, 3), np.uint8), coder.blank)[0]


def rungs(*sizes: tuple[int, int, int]) -> tuple[tuple[int, int], ...]:
    """A ladder from the coarsest and finest quantiser of each size; qualities are four times them.

    On CamVid, each size from where it overtakes the smaller one in PSNR.
    """
    return tuple((scale, 4 * q) for scale, high, low in sizes for q in range(high, low - 1, -1))


def small_size(height: int, width: int, scale: int) -> tuple[int, int]:
    """Height and width of the picture that stands for a frame at `scale` / `STEPS`."""
    return max(1, height * scale // STEPS), max(1, width * scale // STEPS)


def _codec(standard: str) -> Codec:
    """The codec around the coder in the module `standard` of this folder."""
    here = "semcom_ros.codecs.image"
    ends = (f"{here}.encoder:Encoder", f"{here}.decoder:Decoder")
    options = {"coder": f"{here}.{standard}:CODER"}
    return Codec(*ends, version=1, sends_labels=False, options=options)


JPEG, JPEG2000, HEVC, AV1 = map(_codec, ("jpeg", "jpeg2000", "hevc", "av1"))
