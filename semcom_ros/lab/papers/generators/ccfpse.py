# SPDX-License-Identifier: Apache-2.0
"""CC-FPSE's generator: depthwise kernels that a network over the map predicts for every place.

Liu et al., "Learning to predict layout-to-image conditional convolutions for semantic image
synthesis", NeurIPS 2019, section 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.lab.papers.generators.spade import (
    MULTIPLIERS,
    MapGenerator,
    leaky,
    spade_norm,
)


def by_place(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """x [B, c, h, w] convolved, channel by channel, with the 3x3 kernels [B, 9 c, h, w] of each
    place."""
    seen = F.unfold(x, 3, padding=1).view(*x.shape[:2], 9, *x.shape[2:])
    return (seen * kernels.view_as(seen)).sum(2)


class PredictedConvolution(nn.Module):
    """Normalisation, the map's depthwise convolution, a 1x1 one, and the map's gate of its
    channels."""

    def __init__(self, cin: int, cout: int, planes: int, hidden: int):
        super().__init__()

        def of_map(channels: int) -> nn.Sequential:
            read, write = (
                nn.Conv2d(*s, 3, padding=1) for s in ((planes, hidden), (hidden, channels))
            )
            return nn.Sequential(read, nn.ReLU(), write)

        self.norm = nn.BatchNorm2d(cin)
        self.kernels, self.gate = of_map(9 * cin), of_map(cout)
        self.mix = nn.Conv2d(cin, cout, 1)

    def forward(self, x: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        mixed = self.mix(by_place(self.norm(x), self.kernels(planes)))
        return leaky(mixed * torch.sigmoid(self.gate(planes)))


class PredictedBlock(nn.Module):
    """Two of them on top of their input; its width changes by SPADE's shortcut. [B, cin, h, w] and
    planes [B, planes, h, w] -> [B, cout, h, w]."""

    def __init__(self, cin: int, cout: int, planes: int, hidden: int):
        super().__init__()
        inner = min(cin, cout)
        self.first = PredictedConvolution(cin, inner, planes, hidden)
        self.second = PredictedConvolution(inner, cout, planes, hidden)
        self.widens = cin != cout
        if self.widens:
            self.skip_norm = spade_norm(planes, hidden)(cin)
            self.skip = spectral_norm(nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        kept = self.skip(self.skip_norm(x, planes)) if self.widens else x
        return kept + self.second(self.first(x, planes), planes)


def _layer(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(spectral_norm(conv), nn.BatchNorm2d(cout), nn.LeakyReLU(0.2))


class CcFpseGenerator(MapGenerator):
    """planes, width, multipliers, hidden: as of `SpadeGenerator`; the network that predicts is a
    feature pyramid over the map, `width` channels wide."""

    def __init__(
        self,
        planes: int,
        width: int = 64,
        multipliers: Sequence[int] = MULTIPLIERS,
        hidden: int = 128,
        shuffle: int = 1,
        pyramid: int | None = None,
    ):
        widths, told = [width * m for m in multipliers], pyramid or width
        blocks = [PredictedBlock(a, b, planes + told, hidden) for a, b in pairwise(widths)]
        super().__init__(blocks, width, shuffle)
        steps = len(blocks) - 1
        self.start = nn.Conv2d(planes, widths[0], 3, padding=1)
        self.sink = nn.ModuleList(
            _layer(planes if not at else told, told, stride=2 if at else 1)
            for at in range(steps + 1)
        )
        self.across = nn.ModuleList(_layer(told, told, 1) for _ in range(steps))
        self.rise = nn.ModuleList(_layer(told, told) for _ in range(steps))

    def forward(self, planes: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        levels, x = [], planes
        for layer in self.sink:
            x = layer(x)
            levels.append(x)
        pyramid = [levels.pop()]
        for across, rise in zip(self.across, self.rise, strict=True):
            x = F.interpolate(pyramid[-1], scale_factor=2)
            pyramid.append(rise(x + across(levels.pop())))
        steps = (planes.shape[-1] // level.shape[-1] for level in pyramid)
        heard = [
            torch.cat((planes[..., ::step, ::step], level), 1)
            for step, level in zip(steps, pyramid, strict=True)
        ]
        return self.climb(self.start(self.coarse(planes)), heard)
