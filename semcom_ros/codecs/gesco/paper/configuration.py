# SPDX-License-Identifier: Apache-2.0
"""The sizes of the paper's network, and the planes that its map has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES

PLANES = len(CLASSES) + 1
"""One plane for each trainId, in their order, and a last one for void."""
GROUPS = 32
"""Groups of every normalisation."""


@dataclass(frozen=True)
class Configuration:
    """Sizes of `PaperNetwork`; by default those of the paper for Cityscapes, 256x512.

    width: channels at full resolution, times `multipliers` at each halving. blocks: residual
    blocks a level. attention: the reductions of the side at which it stands. head: channels of
    one head of attention. hidden: channels inside each SPADE.
    Raises SemcomError for widths that groups or heads do not divide.
    """

    width: int = 256
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    blocks: int = 2
    attention: tuple[int, ...] = (8, 16, 32)
    head: int = 64
    hidden: int = 128

    def __post_init__(self) -> None:
        if self.width < GROUPS or self.width % GROUPS:
            raise SemcomError(
                f"A network of width {self.width} has no {GROUPS} equal groups of channels: "
                f"give a multiple of {GROUPS}."
            )
        if not self.multipliers or min(self.multipliers) < 1:
            raise SemcomError("The multipliers of the width are whole numbers from 1: give some.")
        attended = [m for k, m in enumerate(self.multipliers) if 2**k in self.attention]
        for channels in (self.width * m for m in (*attended, self.multipliers[-1])):
            if channels % self.head:
                raise SemcomError(
                    f"{channels} channels do not split into heads of {self.head}: "
                    "choose other widths or multipliers."
                )

    @property
    def reduction(self) -> int:
        """The sides of an image are multiples of this."""
        return 2 ** (len(self.multipliers) - 1)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise SemcomError unless images of `size` (H, W) can pass."""
        if min(size) < 1 or size[0] % self.reduction or size[1] % self.reduction:
            raise SemcomError(
                f"Images of {size[0]}x{size[1]} cannot be halved {len(self.multipliers) - 1} "
                f"times: give sides that are multiples of {self.reduction}."
            )


_PLANE = np.full(256, PLANES - 1, np.uint8)
_PLANE[: len(CLASSES)] = np.arange(len(CLASSES))


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W] trainId, 255 void, -> float32 [PLANES, H, W]."""
    return (_PLANE[labels] == np.arange(PLANES)[:, None, None]).astype(np.float32)
