# SPDX-License-Identifier: Apache-2.0
"""Single pictures in a standard's bits, there in whole or not at all: the classical links.

Every codec of this family sends one part of bits: a byte that tells the picture's size as
thirty-seconds of the frame's, then what its `Coder` made of a picture of that size. Whatever
both ends know is left out: containers, and the headers that follow from the size alone. The decoder
makes those anew, by coding a blank picture with the same library. So both ends need libraries that
write the same headers, which a test pins per codec version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from semcom_ros.codecs.base import Codec

PART = "image"
STEPS = 32
"""A picture's size is told in this part of the frame's."""


class Coder(Protocol):
    """One standard: pictures uint8 [h, w, 3] BGR to bits and back.

    name: the codec's. scales: sizes that the decoder takes, in `STEPS`. sizes:
    those that the encoder tries, from the smallest. qualities: the coder's own, by growing bytes.
    """

    name: str
    scales: Sequence[int]
    sizes: Sequence[int]
    qualities: Sequence[int]

    def code(self, image: np.ndarray, quality: int) -> bytes:
        """The bits of `image` at the coder's own `quality`."""

    def container_bytes(self, height: int, width: int) -> int:
        """What the standard's own file of a picture of this size holds beyond those bits."""

    def restore(self, bits: bytes, height: int, width: int) -> np.ndarray:
        """The picture in `bits`, of this size; PayloadError malformed for anything else."""


class LadderCoder(Coder, Protocol):
    """A coder whose operating points lie on one ladder.

    ladder: scale and quality of each point, by growing bytes on street scenes.
    """

    ladder: tuple[tuple[int, int], ...]

    def estimate(self, image: np.ndarray, quality: int) -> int:
        """About how many bytes `code` gives, found in a fraction of its time."""


def small_size(height: int, width: int, scale: int) -> tuple[int, int]:
    """Height and width of the picture that stands for a frame at `scale` / `STEPS`."""
    return max(1, height * scale // STEPS), max(1, width * scale // STEPS)


def _codec(coder: str, version: int = 1) -> Codec:
    """The codec around the coder "module:Class" of this folder."""
    here = "semcom_ros.codecs.image"
    ends = (f"{here}.encoder:Encoder", f"{here}.decoder:Decoder")
    return Codec(*ends, version, sends_labels=False, options={"coder": f"{here}.{coder}"})


JPEG, JPEG2000, HEVC, AV1 = map(_codec, ("jpeg:Jpeg", "jpeg2000:Jpeg2000", "hevc:Hevc", "av1:Av1"))
