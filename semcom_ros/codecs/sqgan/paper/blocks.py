# SPDX-License-Identifier: Apache-2.0
"""What the paper's networks are built of: residual blocks, SPADE, attention, changes of size."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.sqgan.paper.configuration import CLASS_PLANES, GROUPS
from semcom_ros.layers.attention import attend


class PlainNorm(nn.GroupNorm):
    """Group normalisation that takes no notice of the map."""

    def __init__(self, channels: int):
        super().__init__(GROUPS, channels, eps=1e-6)

    def forward(self, x: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x)


class SpadeNorm(nn.Module):
    """Group normalisation, then scale and shift per pixel from the map (Park et al. 2019).

    planes: [B, CLASS_PLANES, H', W'] of any size; the nearest pixel is taken.
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, affine=False)
        self.read = nn.Conv2d(CLASS_PLANES, hidden, 3, padding=1)
        self.modulate = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        planes = F.interpolate(planes, size=x.shape[-2:], mode="nearest")
        scale, shift = self.modulate(F.relu(self.read(planes))).chunk(2, 1)
        return self.norm(x) * (1 + scale) + shift


class ResidualBlock(nn.Module):
    """Two convolutions on top of their input, each behind a normalisation and SiLU."""

    def __init__(self, cin: int, cout: int, norm: Callable[[int], nn.Module] = PlainNorm):
        super().__init__()
        self.first_norm, self.second_norm = norm(cin), norm(cout)
        self.first = nn.Conv2d(cin, cout, 3, padding=1)
        self.second = nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Identity() if cin == cout else nn.Conv2d(cin, cout, 1)

    def forward(self, x: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        inner = self.first(F.silu(self.first_norm(x, planes)))
        return self.skip(x) + self.second(F.silu(self.second_norm(inner, planes)))


class Attention(nn.Module):
    """Self-attention of one head over all positions, on top of its input.

    heard: [B, 1, H, W], weight of every position as a key after the softmax; by default 1.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.norm = PlainNorm(channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor, heard: torch.Tensor | None = None) -> torch.Tensor:
        query, key, value = self.project(self.norm(x)).chunk(3, 1)
        return x + self.out(attend(query, key, value, 1, heard))


class Down(nn.Conv2d):
    """Half the sides."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Up(nn.Conv2d):
    """Twice the sides."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))
