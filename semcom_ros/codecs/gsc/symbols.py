# SPDX-License-Identifier: Apache-2.0
"""Planes of real numbers as complex symbols of unit mean power, and back.

Channels 2j and 2j + 1 are the real and the imaginary part of symbol plane j. On the air plane 0
goes first, row by row, then plane 1: what fewer planes send is the beginning of what more send, but
for the scale. The receiver is told no scale.
"""

from __future__ import annotations

import torch

SILENCE = 1e-12
"""Least power that is brought to one; below it nothing is sent."""


def keep_planes(planes: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """Planes [B, 2J, h, w] whose symbol planes from `kept` on, int64 [B], are 0."""
    places = torch.arange(planes.shape[1], device=planes.device) // 2
    heard = places[None] < kept.to(planes.device)[:, None]
    return planes * heard[:, :, None, None].to(planes.dtype)


def to_symbols(planes: torch.Tensor) -> torch.Tensor:
    """Planes [B, 2J, h, w] -> complex64 [B, J h w] in the order of the air."""
    batch, channels, height, width = planes.shape
    pairs = planes.float().reshape(batch, channels // 2, 2, height * width)
    return torch.complex(pairs[:, :, 0], pairs[:, :, 1]).reshape(batch, -1)


def to_planes(values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Symbols complex64 [B, J h w], h w of `grid`, -> float32 [B, 2J, h, w]; real numbers, as noise
    variances are, -> [B, J, h, w]."""
    planes = values.reshape(len(values), -1, *grid)
    if not planes.is_complex():
        return planes
    return torch.stack([planes.real, planes.imag], 2).flatten(1, 2)


def unit_power(symbols: torch.Tensor, sent: torch.Tensor | int) -> torch.Tensor:
    """complex64 [B, n], 0 where nothing is sent, scaled to mean |x|^2 = 1 over the `sent` of each
    sample, an int or int64 [B]."""
    power = symbols.abs().square().sum(1, keepdim=True)
    count = torch.as_tensor(sent, device=symbols.device).reshape(-1, 1)
    return symbols * (count / power.clamp(min=SILENCE)).sqrt()
