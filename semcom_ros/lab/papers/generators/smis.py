# SPDX-License-Identifier: Apache-2.0
"""SMIS: convolutions in groups, one a class at first, so that a class is painted anew by itself.

Zhu et al., "Semantically multi-modal image synthesis", CVPR 2020, section 3 (GroupDNet).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.lab.papers.generators.spade import (
    MULTIPLIERS,
    MapGenerator,
    SpadeBlock,
    leaky,
    spade_norm,
)

STYLES = 8
"""Channels of the latents of one class."""


class SmisEncoder(nn.Module):
    """Mean and log variance of the latents of each class of a true picture.

    image [B, 3, H, W] in 0..1, planes [B, classes, H, W] -> two of [B, STYLES classes, H/2^layers,
    W/2^layers]. width: channels of the first layer, a multiple of the classes.
    """

    def __init__(self, classes: int, width: int, layers: int):
        super().__init__()
        widths = [3 * classes, *(width * min(2**at, 8) for at in range(layers))]
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 3, 2, 1, groups=classes, bias=False))
            for a, b in pairwise(widths)
        )
        self.mean, self.log_variance = (
            nn.Conv2d(widths[-1], STYLES * classes, 3, padding=1, groups=classes) for _ in range(2)
        )

    def forward(
        self, image: torch.Tensor, planes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        x = (planes[:, :, None] * (2 * image - 1)[:, None]).flatten(1, 2)
        for layer in self.layers:
            x = layer(x)
            # A single position has no spread to normalise by.
            x = leaky(F.instance_norm(x) if x[0, 0].numel() > 1 else x)
        return self.mean(x), self.log_variance(x)


class SmisGenerator(MapGenerator):
    """The generator, and the encoder that it learns with.

    classes: of the map; edges: a last plane, of edges between instances, is heard by each class.
    width, encoder: channels a class of the last block, and of the encoder's first layer. groups: of
    the convolutions of the third block and on, or the most of them that divide its channels; the
    first two have one a class.
    """

    def __init__(
        self,
        classes: int,
        width: int = 8,
        multipliers: Sequence[int] = MULTIPLIERS,
        groups: Sequence[int] = (20, 14, 10, 4, 1),
        encoder: int = 10,
        edges: bool = False,
        shuffle: int = 1,
    ):
        widths, heard = [classes * width * m for m in multipliers], classes * (2 if edges else 1)
        blocks = []
        for (a, b), most in zip(pairwise(widths), (classes, classes, *groups), strict=True):
            count = math.gcd(most, a, b)
            norm = spade_norm(heard, classes * count, classes)
            blocks.append(SpadeBlock(a, b, norm, count))
        super().__init__(blocks, widths[-1], shuffle)
        self.classes, self.edges = classes, edges
        self.start = nn.Conv2d(STYLES * classes, widths[0], 3, padding=1, groups=classes)
        self.encoder = SmisEncoder(classes, encoder * classes, len(blocks) - 1)

    def noise_size(self, planes: torch.Tensor) -> tuple[int, int, int]:
        """Latents, those of a class together."""
        height, width = (side // self.reduction for side in planes.shape[2:])
        return STYLES * self.classes, height, width

    def forward(self, planes: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        if self.edges:
            known, edge = planes[:, :-1], planes[:, -1:].expand(-1, self.classes, -1, -1)
            planes = torch.stack((known, edge), 2).flatten(1, 2)
        return self.climb(self.start(noise), [planes] * len(self.blocks))

    def autoencode(
        self, image: torch.Tensor, planes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The picture again, from latents drawn as it has them, and their divergence from a
        standard normal, a mean over them."""
        seen = F.avg_pool2d(image, self.shuffle)
        mean, log_variance = self.encoder(seen, planes[:, : self.classes])
        latents = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        apart = (mean.square() + log_variance.exp() - 1 - log_variance).float().mean() / 2
        return self(planes, latents), apart
