# SPDX-License-Identifier: Apache-2.0
"""Spatially adaptive normalisation (SPADE; Park et al. 2019) shaped for one pass on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import ConvNorm


class Spade(nn.Module):
    """Convolution, normalisation, then scale and shift per pixel from a condition.

    x [B, cin, H, W] and condition [B, condition, H, W] -> [B, cout, H, W]. The paper gives every
    normalisation its own small network over the map; here the map becomes features once a frame
    and each layer reads its scale and shift from them by a 1x1 convolution. The normalisation
    stands behind the convolution, so that it folds into it for inference.
    """

    def __init__(self, cin: int, cout: int, condition: int):
        super().__init__()
        self.conv = ConvNorm(cin, cout)
        self.scale = nn.Conv2d(condition, cout, 1)
        self.shift = nn.Conv2d(condition, cout, 1)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        # Scales of 0 to 2: free ones multiply from layer to layer, and on a street unlike those of
        # the training a few pixels then blow up into gaudy blots.
        scale = torch.sigmoid_(self.scale(condition))
        return torch.addcmul(self.shift(condition), self.conv(x), scale, value=2)


class SpadeResidual(nn.Module):
    """Residual block of two SPADE layers that keeps size and width."""

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.first = Spade(channels, channels, condition)
        self.second = Spade(channels, channels, condition)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        inner = torch.relu_(self.first(x, condition))
        return torch.relu_(self.second(inner, condition).add_(x))


def halving(widths: Sequence[int]) -> nn.ModuleList:
    """Convolutions of stride 2 from each of `widths` to the next."""
    return nn.ModuleList(ConvNorm(a, b, stride=2) for a, b in pairwise(widths))


def residuals(
    widths: Sequence[int], conditions: Sequence[int], counts: Sequence[int]
) -> nn.ModuleList:
    """So many `SpadeResidual` at each width, with conditions of so many channels."""
    return nn.ModuleList(
        nn.ModuleList(SpadeResidual(width, condition) for _ in range(count))
        for width, condition, count in zip(widths, conditions, counts, strict=True)
    )


def widening(widths: Sequence[int]) -> nn.ModuleList:
    """1x1 convolutions back from each of `widths` to the one before it."""
    return nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))


def pyramid(condition: torch.Tensor, layers: nn.ModuleList) -> list[torch.Tensor]:
    """The condition's features at each of the `halving` layers, the finest first."""
    found = []
    for layer in layers:
        condition = torch.relu_(layer(condition))
        found.append(condition)
    return found


def climb(
    x: torch.Tensor,
    blocks: nn.ModuleList,
    widen: nn.ModuleList,
    conditions: Sequence[torch.Tensor],
    skips: Sequence[torch.Tensor] | None = None,
) -> torch.Tensor:
    """From the coarsest of `conditions` to twice the size of the finest: `residuals`, `widening`.

    skips: added in front of the blocks of each size.
    """
    for at in reversed(range(len(conditions))):
        x = x if skips is None else x + skips[at]
        for block in blocks[at].children():
            x = block(x, conditions[at])
        x = F.interpolate(widen[at](x), scale_factor=2, mode="bilinear")
    return x
