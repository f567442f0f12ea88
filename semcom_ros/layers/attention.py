# SPDX-License-Identifier: Apache-2.0
"""Self-attention between the positions of a feature map, some of which may be heard less."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.errors import given
from semcom_ros.layers.residual import ConvNorm


class SelfAttention(nn.Module):
    """Multi-head self-attention on top of its input, [B, channels, H, W] -> the same shape."""

    def __init__(self, channels: int, heads: int):
        super().__init__()
        self.heads = heads
        self.project = ConvNorm(channels, 3 * channels, kernel=1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(given(self.out.bias))

    def forward(self, x: torch.Tensor, heard: torch.Tensor | None = None) -> torch.Tensor:
        """heard: [B, 1, H, W], by which the softmaxed weight of every position as a key is
        multiplied, without normalising anew; by default 1."""
        query, key, value = self.project(x).chunk(3, 1)
        return x + self.out(attend(query, key, value, self.heads, heard))


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    heads: int,
    heard: torch.Tensor | None = None,
) -> torch.Tensor:
    """Scaled dot-product attention over all positions of maps [B, channels, H, W], by head."""
    if heard is not None:
        # Weights times values: a factor of each key's weight is one of its value.
        value = value * heard
    batch, channels, height, width = query.shape
    split = (batch, heads, channels // heads, height * width)
    query, key, value = (t.reshape(split).transpose(-1, -2) for t in (query, key, value))
    seen = F.scaled_dot_product_attention(query, key, value)
    return seen.transpose(-1, -2).reshape(batch, channels, height, width)
