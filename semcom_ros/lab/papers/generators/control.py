# SPDX-License-Identifier: Apache-2.0
"""Our diffusion, frozen and without a map, steered by a copy of its encoder that hears the map.

Zhang, Rao, Agrawala, "Adding conditional control to text-to-image diffusion models", ICCV 2023,
section 3.1: convolutions that begin as 0 stand before and behind the copy.
"""

from __future__ import annotations

import copy
from typing import NamedTuple, Self

import torch
from torch import nn

from semcom_ros.codecs.gesco.diffusion_network import Conditions, DiffusionNetwork

_DECODER = ("embed", "tint", "shrink", "start", "blocks", "widen", "at_half", "fine", "to_image")
"""Parts of the network that the copy has no use for."""


def _zero(cin: int, cout: int) -> nn.Conv2d:
    conv = nn.Conv2d(cin, cout, 1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv


class Steered(NamedTuple):
    """`Conditions` of the frozen network, and what the copy is told, as of it [B, half, H/2,
    W/2]."""

    frozen: Conditions
    hint: torch.Tensor

    @property
    def picture(self) -> torch.Tensor:
        """The frozen network's."""
        return self.frozen.picture


class ControlledDiffusion(nn.Module):
    """`base`, which learns no more, and its control; called as `DiffusionNetwork`."""

    def __init__(self, base: DiffusionNetwork):
        super().__init__()
        classes, half = base.embed.in_channels, base.embed.out_channels
        self.copy = copy.deepcopy(base)
        for part in _DECODER:
            delattr(self.copy, part)
        self.base = base.eval().requires_grad_(False)
        self.hint = nn.Sequential(nn.Conv2d(classes, half, 1), nn.SiLU(), _zero(half, half))
        self.steer = nn.ModuleList(_zero(width, width) for width in (half, *base.widths))

    def train(self, mode: bool = True) -> Self:
        """The frozen network keeps its statistics."""
        super().train(mode)
        self.base.eval()
        return self

    def condition(self, class_shares: torch.Tensor, coarse: torch.Tensor) -> Steered:
        """As of the frozen network for no map at all, and the map for the copy."""
        nothing = torch.zeros_like(class_shares)
        return Steered(self.base.condition(nothing, coarse), self.hint(class_shares))

    def denoise(
        self, noisy: torch.Tensor, log_snr: torch.Tensor, conditions: Steered
    ) -> torch.Tensor:
        """The clean image [B, 3, H, W] in about 0..1."""
        seen, below = self.base.encode(noisy, log_snr)
        told, deeper = self.copy.encode(noisy, log_snr, conditions.hint)
        pairs = zip(self.steer, (seen, *below), (told, *deeper), strict=True)
        seen, *below = (frozen + steer(found) for steer, frozen, found in pairs)
        return self.base.decode(seen, below, conditions.frozen)
