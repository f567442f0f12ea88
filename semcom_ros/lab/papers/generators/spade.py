# SPDX-License-Identifier: Apache-2.0
"""SPADE and what its successors share: blocks that double the size, each told the map anew.

Park et al., "Semantic image synthesis with spatially-adaptive normalization", CVPR 2019, figures 3
and 4. OASIS (Sushko et al., "You only need adversarial supervision for semantic image synthesis",
ICLR 2021, section 3.3) is the same generator with a block fewer and noise beside the map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.layers.unet import SpadeNorm

Norm = Callable[[int], nn.Module]
"""Makes, for so many channels, a layer that is called with features and planes."""
MULTIPLIERS = (16, 16, 16, 16, 8, 4, 2, 1)
"""Widths of the published generators, in those of the last block."""


def leaky(x: torch.Tensor) -> torch.Tensor:
    """The papers' activation."""
    return F.leaky_relu(x, 0.2)


def spade_norm(planes: int, hidden: int, groups: int = 1) -> Norm:
    """Of `SpadeNorm` after the batch's normalisation."""
    return lambda channels: SpadeNorm(
        nn.BatchNorm2d(channels, affine=False), channels, planes, hidden, groups
    )


class SpadeBlock(nn.Module):
    """Two convolutions behind norms that hear the map, and a third beside them where the width
    changes: [B, cin, h, w] and planes -> [B, cout, h, w]. groups: of the convolutions."""

    def __init__(self, cin: int, cout: int, norm: Norm, groups: int = 1):
        super().__init__()
        inner = min(cin, cout)

        def convolution(a: int, b: int, kernel: int) -> nn.Module:
            bias = kernel > 1
            conv = nn.Conv2d(a, b, kernel, padding=kernel // 2, groups=groups, bias=bias)
            return spectral_norm(conv)

        self.first_norm, self.first = norm(cin), convolution(cin, inner, 3)
        self.second_norm, self.second = norm(inner), convolution(inner, cout, 3)
        self.widens = cin != cout
        if self.widens:
            self.skip_norm, self.skip = norm(cin), convolution(cin, cout, 1)

    def forward(self, x: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        kept = self.skip(self.skip_norm(x, planes)) if self.widens else x
        inner = self.first(leaky(self.first_norm(x, planes)))
        return kept + self.second(leaky(self.second_norm(inner, planes)))


class MapGenerator(nn.Module):
    """Blocks with a doubling between each two, and the picture from the last.

    A subclass has `forward(planes [B, N, H, W], noise [B, *noise_size])`, which gives the picture
    [B, 3, shuffle H, shuffle W] in 0..1; H and W are multiples of `reduction`. width: of the last
    block.
    """

    def __init__(self, blocks: Sequence[nn.Module], width: int, shuffle: int):
        super().__init__()
        self.blocks, self.shuffle = nn.ModuleList(blocks), shuffle
        self.reduction = int(2 ** (len(blocks) - 1))
        self.to_picture = nn.Conv2d(width, 3 * shuffle**2, 3, padding=1)

    def noise_size(self, planes: torch.Tensor) -> tuple[int, int, int]:
        """Shape of what is drawn for a map, normal and independent; of no values where a picture
        is the map's alone."""
        return 0, 1, 1

    def climb(self, x: torch.Tensor, heard: Sequence[torch.Tensor]) -> torch.Tensor:
        """The picture from features [B, c, H/reduction, W/reduction]; heard: by each block."""
        for at, (block, planes) in enumerate(zip(self.blocks, heard, strict=True)):
            x = block(F.interpolate(x, scale_factor=2) if at else x, planes)
        x = torch.tanh(self.to_picture(leaky(x)))
        return (F.pixel_shuffle(x, self.shuffle) + 1) / 2

    def coarse(self, planes: torch.Tensor) -> torch.Tensor:
        """Every so manieth pixel of the planes, at the size of the first block."""
        return planes[..., :: self.reduction, :: self.reduction]


class SpadeGenerator(MapGenerator):
    """SPADE; with `noises`, OASIS, whose noise is the same at every pixel.

    planes: of the map. width: channels of the last block; multipliers: of it, what goes into the
    first block and comes out of each. hidden: channels inside each normalisation.
    """

    def __init__(
        self,
        planes: int,
        width: int = 64,
        multipliers: Sequence[int] = MULTIPLIERS,
        hidden: int = 128,
        noises: int = 0,
        shuffle: int = 1,
    ):
        norm = spade_norm(planes + noises, hidden)
        widths = [width * m for m in multipliers]
        super().__init__([SpadeBlock(a, b, norm) for a, b in pairwise(widths)], width, shuffle)
        self.noises = noises
        self.start = nn.Conv2d(planes + noises, widths[0], 3, padding=1)

    def noise_size(self, planes: torch.Tensor) -> tuple[int, int, int]:
        return self.noises, 1, 1

    def forward(self, planes: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        told = torch.cat((noise.expand(-1, -1, *planes.shape[2:]), planes), 1)
        return self.climb(self.start(self.coarse(told)), [told] * len(self.blocks))
