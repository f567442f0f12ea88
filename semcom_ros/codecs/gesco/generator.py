# SPDX-License-Identifier: Apache-2.0
"""The generator at the roadside: class evidence and a coarse picture in, the street out, one pass.

It predicts the clean image as a correction of the coarse picture. Most of the work lies at a
quarter of the resolution and below; the map is turned into one pyramid of features per frame.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import ConvNorm
from semcom_ros.layers.spade import SpadeResidual

EVIDENCE_STRIDE = 2
"""Class evidence enters as shares of a class in blocks of 2x2 pixels: a hard map's edges stay."""


class Generator(nn.Module):
    """SPADE-conditioned image generator.

    forward(evidence [B, classes, H/2, W/2] in 0..1, coarse [B, 3, H/16, W/16] RGB in 0..1) ->
    image [B, 3, H, W], about 0..1. H and W are multiples of 32. half: channels at 1/2 of the
    resolution; conditions, widths and blocks: channels of the condition and of the image's
    features, and residual blocks, at 1/4, 1/8, 1/16 and 1/32 of it.
    """

    def __init__(
        self,
        classes: int,
        half: int = 24,
        conditions: tuple[int, ...] = (48, 64, 96, 128),
        widths: tuple[int, ...] = (48, 80, 160, 192),
        blocks: tuple[int, ...] = (1, 2, 2, 2),
    ):
        super().__init__()
        self.embed = nn.Conv2d(classes, half, 1)
        self.tint = nn.Conv2d(3, half, 1, bias=False)
        inputs = (half, *conditions[:-1])
        self.shrink = nn.ModuleList(
            ConvNorm(a, b, stride=2) for a, b in zip(inputs, conditions, strict=True)
        )
        self.start = ConvNorm(conditions[-1], widths[-1])
        self.blocks = nn.ModuleList(
            nn.ModuleList(SpadeResidual(w, c) for _ in range(n))
            for w, c, n in zip(widths, conditions, blocks, strict=True)
        )
        self.widen = nn.ModuleList(
            nn.Conv2d(b, a, 1) for a, b in zip((half, *widths[:-1]), widths, strict=True)
        )
        self.at_half = ConvNorm(half, half)
        self.to_image = nn.Conv2d(half, 3 * EVIDENCE_STRIDE**2, 3, padding=1)

    def forward(self, evidence: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        base = F.interpolate(coarse, size=evidence.shape[-2:], mode="bilinear")
        embedded = self.embed(evidence).add_(self.tint(base - 0.5))
        pyramid = []
        condition = embedded
        for shrink in self.shrink:
            condition = torch.relu_(shrink(condition))
            pyramid.append(condition)
        x = torch.relu_(self.start(condition))
        for blocks, condition, widen in zip(
            reversed(self.blocks), reversed(pyramid), reversed(self.widen), strict=True
        ):
            for block in blocks:
                x = block(x, condition)
            x = F.interpolate(widen(x), scale_factor=2, mode="bilinear")
        # Bilinear steps up to 1/2, then a shuffle by two: one by four leaves a grid on flat
        # surfaces.
        x = torch.relu_(self.at_half(x.add_(embedded)))
        image = F.pixel_shuffle(self.to_image(x), EVIDENCE_STRIDE)
        return image + F.interpolate(coarse, size=image.shape[-2:], mode="bilinear")
