# SPDX-License-Identifier: Apache-2.0
"""Swin transformer blocks: attention within windows, shifted in every other block.

Tokens lie on their grid, [B, H, W, channels]. Source: Liu et al., "Swin Transformer", ICCV 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import PlainResidual

_OUTSIDE = -1e4
"""Added to the logit of a key that is not heard: within half precision, and no weight is left."""


class WindowAttention(nn.Module):
    """Multi-head self-attention within windows of `window` x `window` tokens, shifted by `shift`.

    A grid that windows do not tile is padded below and to the right; nobody hears the padding.
    Every head learns a bias by relative position.
    """

    def __init__(self, channels: int, heads: int, window: int, shift: int = 0):
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.project = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.bias = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        self._places: torch.Tensor
        self.register_buffer("_places", _relative_places(window), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, H, W, channels] -> the same shape."""
        batch, height, width, channels = x.shape
        window = self.window
        # A grid of one window has no neighbour to shift to.
        shift = [self.shift if side > window else 0 for side in (height, width)]
        below, right = -height % window, -width % window
        if below or right:
            x = F.pad(x, (0, 0, 0, right, 0, below))
        if any(shift):
            x = x.roll((-shift[0], -shift[1]), (1, 2))
        rows, columns, area = (height + below) // window, (width + right) // window, window**2
        windows = x.view(batch, rows, window, columns, window, channels).transpose(2, 3)
        qkv = self.project(windows.reshape(-1, area, channels))
        qkv = qkv.view(-1, area, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)
        # With a dimension for the windows: torch's fast attention wants all four.
        heard = self.bias[self._places].view(1, area, area, self.heads).permute(0, 3, 1, 2)
        if any(shift) or below or right:
            mask = _mask((height, width), window, (shift[0], shift[1]), x.device, x.dtype)
            heard = heard + mask[:, None].repeat(batch, 1, 1, 1)
        # GPUs' kernels read what is added row by row.
        seen = F.scaled_dot_product_attention(query, key, value, heard.contiguous())
        tokens = self.out(seen.transpose(1, 2).reshape(-1, area, channels))
        x = tokens.view(batch, rows, columns, window, window, channels).transpose(2, 3)
        x = x.reshape(batch, height + below, width + right, channels)
        if any(shift):
            x = x.roll((shift[0], shift[1]), (1, 2))
        return x[:, :height, :width]


class SwinBlock(nn.Module):
    """Attention within windows, then a perceptron a token, each on top of its input."""

    def __init__(self, channels: int, heads: int, window: int, shift: int = 0, ratio: int = 4):
        super().__init__()
        self.first, self.second = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.attention = WindowAttention(channels, heads, window, shift)
        self.perceptron = nn.Sequential(
            nn.Linear(channels, ratio * channels), nn.GELU(), nn.Linear(ratio * channels, channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.first(x))
        return x + self.perceptron(self.second(x))


class SwinStage(nn.Sequential):
    """`depth` blocks of one size, every second one shifted by half a window."""

    def __init__(self, channels: int, heads: int, window: int, depth: int, ratio: int = 4):
        shifts = (window // 2 * (at % 2) for at in range(depth))
        super().__init__(*(SwinBlock(channels, heads, window, s, ratio) for s in shifts))


class ConvStage(nn.Module):
    """Convolutions in place of attention, where a fine grid makes windows dear; same shapes."""

    def __init__(self, channels: int, depth: int):
        super().__init__()
        self.blocks = nn.Sequential(*(PlainResidual(channels) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class PatchMerging(nn.Module):
    """[B, H, W, cin] -> [B, H/2, W/2, cout]: two by two tokens become one. Sides must be even."""

    def __init__(self, cin: int, cout: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * cin)
        self.reduce = nn.Linear(4 * cin, cout, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, height, width, channels = x.shape
        x = x.view(batch, height // 2, 2, width // 2, 2, channels).transpose(2, 3)
        return self.reduce(self.norm(x.reshape(batch, height // 2, width // 2, 4 * channels)))


class PatchEmbedding(nn.Module):
    """Images [B, 3, H, W] -> tokens [B, H/patch, W/patch, channels], normalised."""

    def __init__(self, channels: int, patch: int):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, channels, patch, patch), nn.LayerNorm(channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(images).permute(0, 2, 3, 1))


class SwinPyramid(nn.Module):
    """Images [B, 3, H, W] in 0..1 -> one level a stage, [B, h, w, c] as it leaves its merging.

    Levels are at 1/2, 1/4, 1/8 and so on of the grid of patches. channels: of every stage, and of
    what the last merging gives. heads: of every stage, 0 for one of convolutions.
    """

    def __init__(
        self,
        channels: Sequence[int],
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        patch: int,
    ):
        super().__init__()
        self.embed = PatchEmbedding(channels[0], patch)
        shapes = zip(channels, channels[1:], depths, heads, strict=False)
        self.stages, self.mergings = nn.ModuleList(), nn.ModuleList()
        for cin, cout, depth, count in shapes:
            stage = SwinStage(cin, count, window, depth) if count else ConvStage(cin, depth)
            self.stages.append(stage)
            self.mergings.append(PatchMerging(cin, cout))

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        x, levels = self.embed(images), []
        for stage, merging in zip(self.stages, self.mergings, strict=True):
            x = merging(stage(x))
            levels.append(x)
        return levels


def _relative_places(window: int) -> torch.Tensor:
    """For each pair of tokens of a window, the row of the bias for how they lie: int64 [n * n]."""
    line = torch.arange(window)
    down, across = (g.reshape(-1) for g in torch.meshgrid(line, line, indexing="ij"))
    rows, columns = (g[:, None] - g[None, :] + window - 1 for g in (down, across))
    return (rows * (2 * window - 1) + columns).reshape(-1)


@lru_cache(32)
def _mask(
    size: tuple[int, int],
    window: int,
    shift: tuple[int, int],
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    """What is added to the logits of each window, [windows, n, n]: tokens that lie together by the
    shift's wrapping or by padding alone do not hear each other."""
    sides = []
    for side, step in zip(size, shift, strict=True):
        padded = side + -side % window
        place = torch.arange(padded, device=device).roll(-step)
        # What is rolled round comes from another end; padding is a region of its own.
        region = (place < step).long() if step else torch.zeros_like(place)
        sides.append(torch.where(place < side, region, 2).view(-1, window))
    rows, columns = sides
    regions = 3 * rows[:, None, :, None] + columns[None, :, None, :]
    regions = regions.reshape(-1, window * window)
    return (regions[:, None] != regions[:, :, None]).to(dtype) * _OUTSIDE
