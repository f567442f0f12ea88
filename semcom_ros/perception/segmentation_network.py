# SPDX-License-Identifier: Apache-2.0
"""The segmenter's network: a residual encoder to 1/32, a top-down decoder and a head on it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import ConvNorm, Residual

WIDTHS = (48, 96, 160, 192)
"""Channels at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
BLOCKS = (1, 2, 3, 2)
"""Residual blocks there."""
STEM = 32
"""Channels at 1/2."""


class Trunk(nn.Module):
    """A residual encoder to 1/32 of the resolution and a top-down decoder back to 1/4.

    Most of the work lies at 1/8 and below.
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.stem = ConvNorm(3, STEM, stride=2)
        inputs = (STEM, *widths[:-1])
        self.down = nn.ModuleList(
            ConvNorm(a, b, stride=2) for a, b in zip(inputs, widths, strict=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(w) for _ in range(n)))
            for w, n in zip(widths, BLOCKS, strict=True)
        )
        self.context = nn.Conv2d(widths[-1], widths[-1], 1)
        self.lateral = nn.ModuleList(ConvNorm(w, w, kernel=1) for w in widths[:-1])
        self.up = nn.ModuleList(
            ConvNorm(b, a, kernel=1) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.merge = nn.ModuleList(ConvNorm(w, w) for w in widths[:-1])

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        """Image [B, 3, H, W] in 0..1 -> [B, STEM, H/2, W/2]."""
        return torch.relu(self.stem(x - 0.5))

    def encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What `begin` gives -> the encoder's outputs at 1/4, 1/8, 1/16 and 1/32."""
        pyramid = []
        for down, stage in zip(self.down, self.stages, strict=True):
            x = stage(torch.relu(down(x)))
            pyramid.append(x)
        return pyramid

    def merge_down(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """What `encode` gives, merged from coarse to fine: [B, widths[0], H/4, W/4]."""
        x = pyramid[-1]
        # The mean over the frame tells a street from a square; it costs next to nothing.
        x = x + torch.relu(self.context(x.mean((2, 3), keepdim=True)))
        for i in reversed(range(len(self.lateral))):
            x = F.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = torch.relu(self.merge[i](torch.relu(x + self.lateral[i](pyramid[i]))))
        return x


class SegmentationNetwork(Trunk):
    """Image [B, 3, H, W] in 0..1 -> class logits [B, classes, H/2, W/2]; H and W multiples of 32.

    5.5 GFLOP at 256x512 with the default widths.
    """

    def __init__(self, classes: int, widths: tuple[int, ...] = WIDTHS):
        super().__init__(widths)
        # Four sub-pixels a class: poles and signs are thinner than a cell of the 1/4 grid.
        self.head = nn.Conv2d(widths[0], 4 * classes, 1)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The encoder's outputs at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
        return self.encode(self.begin(x))

    def decode(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """Logits from the pyramid that `features` gives."""
        return F.pixel_shuffle(self.head(self.merge_down(pyramid)), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.features(x))
