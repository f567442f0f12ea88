# SPDX-License-Identifier: Apache-2.0
"""What the U-Nets of the papers share: sizes by level, normalisation by groups, attention."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.layers.attention import attend

GROUPS = 32
"""Groups of every normalisation."""


@dataclass(frozen=True)
class UNetSizes:
    """width: channels at full resolution, times `multipliers` at each halving.

    spaces: names of the label spaces that networks of these sizes are made for, the usual first.
    Raises SemcomError for widths that the groups do not divide.
    """

    spaces: ClassVar[tuple[str, ...]] = (LABEL_SPACE,)
    width: int
    multipliers: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.multipliers or min(self.multipliers) < 1:
            raise SemcomError("The multipliers of the width are whole numbers from 1: give some.")
        self.check_groups("width", self.width)

    def check_groups(self, name: str, channels: int) -> None:
        """Raise SemcomError unless `channels` are equal groups."""
        if channels < GROUPS or channels % GROUPS:
            raise SemcomError(
                f"A {name} of {channels} has no {GROUPS} equal groups of channels: give a multiple "
                f"of {GROUPS}."
            )

    @property
    def widths(self) -> list[int]:
        """Channels of every level, the finest first."""
        return [self.width * m for m in self.multipliers]

    @property
    def reduction(self) -> int:
        """Pixels to a cell of the coarsest level, each way."""
        return int(2 ** (len(self.multipliers) - 1))

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise SemcomError unless images of `size` (H, W) can pass."""
        if min(size) < 1 or size[0] % self.reduction or size[1] % self.reduction:
            raise SemcomError(
                f"Images of {size[0]}x{size[1]} cannot be halved {len(self.multipliers) - 1} "
                f"times: give sides that are multiples of {self.reduction}."
            )

    @classmethod
    def of_card(
        cls, card: dict[str, Any], size: tuple[int, int] | None, path: Path, recipe: str
    ) -> Self:
        """Those in the card of the weights `path`, trained at `size` (H, W; None: any) by `recipe`.

        Raises SemcomError where it has none, other classes or another size.
        """
        space = weights.space_of(card, path, cls.spaces)
        try:
            classes, (height, width) = tuple(card["classes"]), card["size"]
            told: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in card["network"].items()
            }
            sizes = cls(**told)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SemcomError(
                f"The card of {path} does not describe this network: make it anew with `{recipe}`."
            ) from None
        if classes != space.names:
            raise SemcomError(
                f"The weights {path} know {len(classes)} classes, not the {len(space.names)} of "
                f"{space.name} in their order: make others with `{recipe}`."
            )
        if size not in (None, (height, width)):
            raise SemcomError(
                f"The weights {path} were trained at {height}x{width}, not "
                f"{size[0]}x{size[1]}: ask for that size, or train others with --size."
            )
        return sizes


class PlainGroupNorm(nn.GroupNorm):
    """Normalisation by groups that takes no notice of the map."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__(GROUPS, channels, eps)

    def forward(self, x: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x)


class SpadeNorm(nn.Module):
    """Normalisation without parameters, then scale and shift per pixel from the map (Park et al.
    2019).

    planes: [B, planes, H, W] at a multiple of the size of what is normalised, of which the nearest
    pixel is taken. groups: of channels, each of which hears as many planes of its own alone.
    """

    def __init__(self, norm: nn.Module, channels: int, planes: int, hidden: int, groups: int = 1):
        super().__init__()
        self.norm, self.groups = norm, groups
        self.read = nn.Conv2d(planes, hidden, 3, padding=1, groups=groups)
        self.modulate = nn.Conv2d(hidden, 2 * channels, 3, padding=1, groups=groups)

    def forward(self, x: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        step = planes.shape[-1] // x.shape[-1]
        found = self.modulate(F.relu(self.read(planes[..., ::step, ::step])))
        scale, shift = (
            part.flatten(1, 2) for part in found.unflatten(1, (self.groups, 2, -1)).unbind(2)
        )
        return self.norm(x) * (1 + scale) + shift


class SpadeGroupNorm(SpadeNorm):
    """The same after normalisation by groups."""

    def __init__(self, channels: int, planes: int, hidden: int):
        super().__init__(nn.GroupNorm(GROUPS, channels, affine=False), channels, planes, hidden)


class GroupAttention(nn.Module):
    """Self-attention over all positions, on top of its input, [B, channels, H, W]."""

    def __init__(self, channels: int, heads: int = 1, eps: float = 1e-5):
        super().__init__()
        self.heads = heads
        self.norm = PlainGroupNorm(channels, eps)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor, heard: torch.Tensor | None = None) -> torch.Tensor:
        """heard: as in `attend`."""
        query, key, value = self.project(self.norm(x)).chunk(3, 1)
        return x + self.out(attend(query, key, value, self.heads, heard))
