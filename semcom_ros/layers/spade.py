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
        self.modulation = nn.Conv2d(condition, 2 * cout, 1)
        # The scale starts at one: a bias says so without a pass over the pixels.
        nn.init.ones_(self.modulation.bias[:cout])

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulation(condition).chunk(2, 1)
        return torch.addcmul(shift, self.conv(x), scale)


class SpadeResidual(nn.Module):
    """Residual block of two SPADE layers that keeps size and width."""

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.first = Spade(channels, channels, condition)
        self.second = Spade(channels, channels, condition)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        inner = torch.relu_(self.first(x, condition))
        return torch.relu_(self.second(inner, condition).add_(x))
