# SPDX-License-Identifier: Apache-2.0
"""Convolution with batch normalisation, and the residual block made of it."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


class ConvNorm(nn.Module):
    """3x3 (or `kernel`) convolution and batch normalisation, [B, cin, H, W] -> [B, cout, H/s, W/s].

    Dense convolutions on purpose: CPUs run them at their peak, depthwise ones at a tenth of it.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm: nn.BatchNorm2d | nn.Identity = nn.BatchNorm2d(cout, eps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))

    def fuse(self) -> None:
        """Fold the normalisation's running statistics into the convolution, for inference."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class Residual(nn.Module):
    """Basic residual block (He et al. 2016) that keeps size and width."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = ConvNorm(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class PlainResidual(nn.Module):
    """Convolution, ReLU, convolution on top of the input, [B, channels, H, W], without
    normalisation: a layer between symbols and image must keep their scale. At first the input."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(torch.relu(self.first(x)))


def for_inference(network: Network, dtype: torch.dtype) -> Network:
    """Fold normalisations, cast to `dtype` and lay out channels last; changes `network` itself."""
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fuse()
    return network.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
