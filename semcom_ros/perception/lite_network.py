# SPDX-License-Identifier: Apache-2.0
"""A segmentation network on a pretrained EfficientNet-Lite: pyramid head, edges at 1/2."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.efficientnet_lite import BLOCKS, EfficientNetLite
from semcom_ros.layers.residual import ConvNorm

KEPT = 6
"""Stages of the backbone; the seventh is as large as three blocks before it and adds little."""
CHANNELS = 64
"""Of the pyramid."""
FINE = 32
"""Channels of the layer at half resolution that draws the edges."""
COARSE = 24
"""Channels that tell it what the pyramid knows."""

FORM = ("backbone", "kept", "last", "channels", "fine")
"""What a card tells of a network's form."""


class LiteSegmentationNetwork(nn.Module):
    """Image [B, 3, H, W] in 0..1 -> class logits [B, classes, H/2, W/2]; H and W multiples of 32.

    The layer at half resolution sees the image itself again: poles are two pixels wide, and the
    features at 1/4 have lost them. backbone: lite0, lite1 or lite2, of which the first `kept`
    stages are used, `last` blocks of the last.
    """

    def __init__(
        self,
        classes: int,
        backbone: str = "lite0",
        kept: int = KEPT,
        last: int = BLOCKS,
        channels: int = CHANNELS,
        fine: int = FINE,
    ):
        super().__init__()
        self.backbone = EfficientNetLite(backbone, kept, last)
        half, *widths = self.backbone.channels
        self.context = nn.Conv2d(channels, channels, 1)
        self.lateral = nn.ModuleList(ConvNorm(w, channels, kernel=1) for w in widths)
        self.merge = nn.ModuleList(ConvNorm(channels, channels) for _ in widths[:-1])
        # Four sub-pixels a cell of the 1/4 grid.
        self.known = nn.Conv2d(channels, 4 * COARSE, 1)
        self.fine = ConvNorm(12 + half + COARSE, fine)
        self.head = nn.Conv2d(fine, classes, 1)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The backbone's outputs at 1/2 (behind them the image), 1/4, 1/8, 1/16 and 1/32."""
        half, *rest = self.backbone(x)
        return [torch.cat([half, F.pixel_unshuffle(x - 0.5, 2)], 1), *rest]

    def decode(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """Logits from the pyramid that `features` gives."""
        half, *rest = pyramid
        x = self.lateral[-1](rest[-1])
        # The mean over the frame tells a street from a square; it costs next to nothing.
        x = torch.relu(x + torch.relu(self.context(x.mean((2, 3), keepdim=True))))
        for level, lateral, merge in zip(
            rest[-2::-1], list(self.lateral)[-2::-1], list(self.merge)[::-1], strict=True
        ):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.relu(merge(torch.relu(x + lateral(level))))
        known = F.pixel_shuffle(torch.relu(self.known(x)), 2)
        return self.head(torch.relu(self.fine(torch.cat([half, known], 1))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.features(x))
