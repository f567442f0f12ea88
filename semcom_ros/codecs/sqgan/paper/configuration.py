# SPDX-License-Identifier: Apache-2.0
"""The sizes of the paper's networks."""

from __future__ import annotations

from dataclasses import dataclass

from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES

CLASS_PLANES = len(CLASSES)
"""Of the map where it conditions: one for each trainId, in their order."""
MAP_PLANES = CLASS_PLANES + 1
"""Of the map as it is sent: a last one for void."""
GROUPS = 32
"""Groups of every normalisation."""


@dataclass(frozen=True)
class Configuration:
    """Sizes of both pipelines; by default those of the paper for Cityscapes, 256x512.

    width: channels at full resolution, times `multipliers` at each halving. blocks: residual blocks
    a level of the encoders; decoders have one more. dims: length of a codeword and channels
    between encoder and decoder. depth: attentions of ADM. hidden: channels inside each SPADE.
    Raises SemcomError for widths that the groups do not divide.
    """

    width: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2
    dims: int = 256
    depth: int = 8
    hidden: int = 128
    codewords: int = 1024

    def __post_init__(self) -> None:
        for name in ("width", "dims"):
            value = getattr(self, name)
            if value < GROUPS or value % GROUPS:
                raise SemcomError(
                    f"A {name} of {value} has no {GROUPS} equal groups of channels: "
                    f"give a multiple of {GROUPS}."
                )
        if not self.multipliers or min(self.multipliers) < 1:
            raise SemcomError("The multipliers of the width are whole numbers from 1: give some.")
        if min(self.blocks, self.depth, self.hidden, self.codewords) < 1:
            raise SemcomError("Blocks, depth, hidden channels and codewords start at 1: give more.")

    @property
    def reduction(self) -> int:
        """Pixels to a latent vector, each way."""
        return 2 ** (len(self.multipliers) - 1)

    @property
    def widths(self) -> list[int]:
        """Channels of every level, the finest first."""
        return [self.width * m for m in self.multipliers]

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise SemcomError unless images of `size` (H, W) can pass."""
        if min(size) < 1 or size[0] % self.reduction or size[1] % self.reduction:
            raise SemcomError(
                f"Images of {size[0]}x{size[1]} cannot be halved {len(self.multipliers) - 1} "
                f"times: give sides that are multiples of {self.reduction}."
            )
