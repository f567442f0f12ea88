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
FOLD = 2
"""It is folded on to 1/4 of the resolution, neighbours as channels."""


class Generator(nn.Module):
    """SPADE-conditioned image generator.

    forward(evidence [B, classes, H/2, W/2] in 0..1, coarse [B, 3, H/16, W/16] RGB in 0..1) ->
    image [B, 3, H, W], about 0..1. H and W are multiples of 32. widths: channels at 1/4, 1/8,
    1/16 and 1/32 of the resolution; conditions: channels of the condition there.
    """

    def __init__(
        self,
        classes: int,
        embedding: int = 16,
        widths: tuple[int, ...] = (64, 128, 192, 192),
        conditions: tuple[int, ...] = (64, 96, 128, 128),
        blocks: tuple[int, ...] = (2, 2, 2, 1),
    ):
        super().__init__()
        self.embed = nn.Conv2d(classes, embedding, 1, bias=False)
        self.fold = ConvNorm(embedding * FOLD**2 + 3, conditions[0])
        self.shrink = nn.ModuleList(
            ConvNorm(a, b, stride=2) for a, b in zip(conditions[:-1], conditions[1:], strict=True)
        )
        self.start = ConvNorm(conditions[-1], widths[-1])
        self.blocks = nn.ModuleList(
            nn.ModuleList(SpadeResidual(w, c) for _ in range(n))
            for w, c, n in zip(widths, conditions, blocks, strict=True)
        )
        self.widen = nn.ModuleList(
            nn.Conv2d(b, a, 1) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        half = widths[0] // 2
        self.to_half = nn.Conv2d(widths[0], half, 1)
        self.at_half = ConvNorm(half + embedding, half)
        self.to_image = nn.Conv2d(half, 3 * EVIDENCE_STRIDE**2, 3, padding=1)

    def condition(self, evidence: torch.Tensor, coarse: torch.Tensor) -> list[torch.Tensor]:
        """Features at 1/4, 1/8, 1/16 and 1/32 that every SPADE layer reads; once a frame."""
        folded = F.pixel_unshuffle(evidence, FOLD)
        base = F.interpolate(coarse, size=folded.shape[-2:], mode="bilinear")
        pyramid = [torch.relu(self.fold(torch.cat((folded, base - 0.5), 1)))]
        for shrink in self.shrink:
            pyramid.append(torch.relu(shrink(pyramid[-1])))
        return pyramid

    def forward(self, evidence: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        embedded = self.embed(evidence)
        pyramid = self.condition(embedded, coarse)
        x = torch.relu(self.start(pyramid[-1]))
        for level in reversed(range(len(pyramid))):
            for block in self.blocks[level]:
                x = block(x, pyramid[level])
            if level:
                x = F.interpolate(self.widen[level - 1](x), scale_factor=2, mode="bilinear")
        # A bilinear step, then a shuffle by two: one by four leaves a grid on flat surfaces.
        x = F.interpolate(self.to_half(x), scale_factor=2, mode="bilinear")
        x = torch.relu(self.at_half(torch.cat((x, embedded), 1)))
        image = F.pixel_shuffle(self.to_image(x), EVIDENCE_STRIDE)
        return image + F.interpolate(coarse, size=image.shape[-2:], mode="bilinear")
