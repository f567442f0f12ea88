# SPDX-License-Identifier: Apache-2.0
"""Deep JSCC and ADJSCC: five convolutions at each end.

Bourtsoulatze, Burth Kurka, Gündüz, "Deep joint source-channel coding for wireless image
transmission", IEEE TCCN 2019; Xu, Ai, Chen, Yang, Sun, Rodrigues, "Wireless image transmission
using deep source channel coding with attention modules", IEEE TCSVT 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.lab.jscc.analog_link import AnalogLink


class DivisiveNormalisation(nn.Module):
    """Generalised divisive normalisation: x over, or inverse times, sqrt(b + sum_j g_j x_j^2).

    Ballé, Laparra, Simoncelli, "Density modeling of images using a generalized normalization
    transformation", ICLR 2016. Squares keep b and g from falling below 0.
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.base = nn.Parameter(torch.ones(channels))
        self.weight = nn.Parameter(0.1**0.5 * torch.eye(channels) + 0.01)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight.square()[..., None, None]
        power = F.conv2d(x.square(), weight, self.base.square() + 1e-6)
        return x * (power.sqrt() if self.inverse else power.rsqrt())


class AttentionFeature(nn.Module):
    """ADJSCC's module: every channel's gate in 0..1 hears the features' means and the SNR."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 16)
        self.first, self.second = nn.Linear(channels + 1, inner), nn.Linear(inner, channels)

    def gate(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        """[B, channels], in 0..1."""
        heard = torch.cat([x.mean((2, 3)), snr_db[:, None].to(x.dtype) / 20], 1)
        return torch.sigmoid(self.second(torch.relu(self.first(heard))))

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x, snr_db)[..., None, None]


class _Layer(nn.Module):
    """One convolution, up or down, normalised and gated in ADJSCC, and its activation."""

    def __init__(
        self, cin: int, cout: int, kernel: int, stride: int, up: bool, attends: bool, last: bool
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.conv: nn.Module = (
            nn.ConvTranspose2d(cin, cout, kernel, stride, pad, output_padding=stride - 1)
            if up
            else nn.Conv2d(cin, cout, kernel, stride, pad)
        )
        self.norm = DivisiveNormalisation(cout, inverse=up) if attends else nn.Identity()
        ends: nn.Module = nn.Sigmoid() if up else nn.Identity()
        self.act = ends if last else nn.PReLU(cout if attends else 1)
        self.gate = AttentionFeature(cout) if attends and not last else None

    def forward(self, x: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        x = self.act(self.norm(self.conv(x)))
        return x if self.gate is None else self.gate(x, snr_db)


class ConvolutionalJscc(AnalogLink):
    """Deep JSCC, or ADJSCC where it `attends`.

    widths: channels after every convolution of the encoder but the last; kernels, strides: of all.
    The decoder has them the other way round.
    """

    def __init__(
        self,
        planes: int,
        widths: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        attends: bool = False,
    ) -> None:
        super().__init__(planes, prod(strides))
        channels, ways = (3, *widths, planes), list(zip(kernels, strides, strict=True))
        shapes = list(zip(channels, channels[1:], ways, strict=False))
        ends = len(shapes) - 1
        self.down = nn.ModuleList(
            _Layer(a, b, *way, up=False, attends=attends, last=i == ends)
            for i, (a, b, way) in enumerate(shapes)
        )
        self.up = nn.ModuleList(
            _Layer(b, a, *way, up=True, attends=attends, last=i == ends)
            for i, (a, b, way) in enumerate(reversed(shapes))
        )

    def values(self, images: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        for layer in self.down:
            images = layer(images, snr_db)
        return images

    def decode(self, planes: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        for layer in self.up:
            planes = layer(planes, snr_db)
        return planes
