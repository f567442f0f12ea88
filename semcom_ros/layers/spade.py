# SPDX-License-Identifier: Apache-2.0
"""Spatially adaptive normalisation (SPADE; Park et al. 2019) shaped for one pass on a CPU."""

from __future__ import annotations

import torch
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
