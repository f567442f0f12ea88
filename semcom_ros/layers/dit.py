# SPDX-License-Identifier: Apache-2.0
"""Diffusion transformer: blocks that a condition scales, shifts and gates, by adaLN-Zero.

Source: Peebles, Xie, "Scalable diffusion models with transformers", ICCV 2023.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

PERIOD = 10_000.0
"""Longest period of the sinusoids."""


class DitBlock(nn.Module):
    """Tokens [B, N, width] and a condition [B, width] -> tokens; at first the same ones.

    shared: scale, shift and gate come from outside and are a constant of the block apart from there
    (Chen et al., "PixArt-alpha", ICLR 2024), which takes a third of the weights away.
    """

    def __init__(self, width: int, heads: int, shared: bool = False, ratio: int = 4):
        super().__init__()
        self.heads, self.shared = heads, shared
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.Linear(width, ratio * width),
            nn.GELU(approximate="tanh"),
            nn.Linear(ratio * width, width),
        )
        if shared:
            self.own = nn.Parameter(torch.zeros(6 * width))
        else:
            self.modulate = zero(nn.Linear(width, 6 * width))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """condition: where `shared`, scale, shift and gate [B, 6 width] before the block's own."""
        told = condition + self.own if self.shared else self.modulate(F.silu(condition))
        shift, scale, gate, shift_2, scale_2, gate_2 = told[:, None].chunk(6, -1)
        x = x + gate * self._attend(modulated(x, shift, scale))
        return x + gate_2 * self.perceptron(modulated(x, shift_2, scale_2))

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, count, width = x.shape
        qkv = self.project(x).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(query, key, value)
        return self.out(seen.transpose(1, 2).reshape(batch, count, width))


class DiffusionTransformer(nn.Module):
    """`depth` blocks over tokens [B, N, width], conditioned by [B, width], passed `repeats` times.

    shared: as in `DitBlock`. A new one gives back the tokens that it is given.
    """

    def __init__(self, width: int, depth: int, heads: int, shared: bool = False, repeats: int = 1):
        super().__init__()
        self.repeats = repeats
        self.blocks = nn.ModuleList(DitBlock(width, heads, shared) for _ in range(depth))
        self.modulate = zero(nn.Linear(width, 6 * width)) if shared else None

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        if self.modulate is not None:
            condition = self.modulate(F.silu(condition))
        for _ in range(self.repeats):
            for block in self.blocks:
                x = block(x, condition)
        return x


class LastLayer(nn.Module):
    """Tokens [B, N, width] -> [B, N, out], scaled and shifted by the condition; 0 at first."""

    def __init__(self, width: int, out: int):
        super().__init__()
        self.modulate = zero(nn.Linear(width, 2 * width))
        self.out = zero(nn.Linear(width, out))

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        shift, scale = self.modulate(F.silu(condition))[:, None].chunk(2, -1)
        return self.out(modulated(x, shift, scale))


class LevelEmbedding(nn.Module):
    """A number a sample, [B], through sinusoids -> [B, width]."""

    def __init__(self, width: int, inputs: int = 256):
        super().__init__()
        self.inputs = inputs
        self.first, self.second = nn.Linear(inputs, width), nn.Linear(width, width)

    def forward(self, level: torch.Tensor) -> torch.Tensor:
        waves = sinusoids(level, self.inputs).to(self.first.weight.dtype)
        return self.second(F.silu(self.first(waves)))


def zero(layer: nn.Linear) -> nn.Linear:
    """`layer`, which gives 0 until it learns."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def modulated(x: torch.Tensor, shift: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """x normalised by token, then scaled by 1 + scale and shifted."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def sinusoids(values: torch.Tensor, width: int) -> torch.Tensor:
    """float32 [..., width] of values [...]: sines, then cosines, periods from 2 pi to `PERIOD`."""
    steps = torch.arange(width // 2, device=values.device) / (width // 2)
    angles = values.float()[..., None] * torch.exp(-math.log(PERIOD) * steps)
    return torch.cat([angles.sin(), angles.cos()], -1)


@lru_cache(32)
def grid_positions(
    height: int, width: int, channels: int, device: torch.device | None = None
) -> torch.Tensor:
    """Fixed positions float32 [height * width, channels] of tokens: half tell the row."""
    down, across = (torch.arange(side, device=device) for side in (height, width))
    rows = sinusoids(down, channels // 2)[:, None].expand(-1, width, -1)
    columns = sinusoids(across, channels // 2)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], -1).reshape(height * width, channels)
