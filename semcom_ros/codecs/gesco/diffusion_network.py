# SPDX-License-Identifier: Apache-2.0
"""The network that denoises the street: a noisy image and what was received in, a clean one out.

It predicts the clean image as a correction of the received coarse picture. Most of the work lies
at a quarter of the resolution and below, in dense 3x3 convolutions; the map becomes one pyramid of
features a frame, which all steps share.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.class_shares import SHARES_STRIDE
from semcom_ros.layers.residual import ConvNorm
from semcom_ros.layers.spade import SpadeResidual, climb, halving, pyramid, residuals, widening

LEVEL_FEATURES = 32


class Conditions(NamedTuple):
    """What a frame's steps have in common: the picture [B, 3, H, W], the map's features at 1/2
    [B, half, H/2, W/2] and the pyramid below."""

    picture: torch.Tensor
    embedded: torch.Tensor
    pyramid: list[torch.Tensor]


class DiffusionNetwork(nn.Module):
    """SPADE-conditioned denoiser of images in 0..1; H and W are multiples of 32.

    half: channels at 1/2 of the resolution, and fine: residual blocks there; conditions, widths and
    blocks: channels of the condition and of the image's features, and residual blocks, at 1/4, 1/8,
    1/16 and 1/32 of it.
    """

    def __init__(
        self,
        classes: int,
        half: int = 24,
        conditions: tuple[int, ...] = (48, 64, 96, 128),
        widths: tuple[int, ...] = (48, 80, 160, 192),
        blocks: tuple[int, ...] = (1, 2, 2, 2),
        fine: int = 0,
    ):
        super().__init__()
        s = SHARES_STRIDE
        self.widths = list(widths)
        self.embed = nn.Conv2d(classes, half, 1)
        self.tint = nn.Conv2d(3, half, 1, bias=False)
        self.shrink = halving((half, *conditions))
        self.look = nn.Conv2d(3 * s**2, half, 3, padding=1)
        self.sink = halving((half, *widths))
        self.level = nn.Sequential(
            nn.Linear(LEVEL_FEATURES, 2 * LEVEL_FEATURES),
            nn.SiLU(),
            nn.Linear(2 * LEVEL_FEATURES, sum(widths)),
        )
        self.start = ConvNorm(conditions[-1], widths[-1])
        self.blocks = residuals(widths, conditions, blocks)
        self.widen = widening((half, *widths))
        self.at_half = ConvNorm(half, half)
        self.fine = nn.ModuleList(SpadeResidual(half, half) for _ in range(fine))
        self.to_image = nn.Conv2d(half, 3 * s**2, 3, padding=1)

    def condition(self, class_shares: torch.Tensor, coarse: torch.Tensor) -> Conditions:
        """What the steps need of class shares [B, classes, H/2, W/2] in 0..1 and of the coarse
        picture [B, 3, H/16, W/16] RGB in 0..1."""
        base = F.interpolate(coarse, size=class_shares.shape[-2:], mode="bilinear")
        embedded = self.embed(class_shares).add_(self.tint(base - 0.5))
        size = [SHARES_STRIDE * side for side in class_shares.shape[-2:]]
        picture = F.interpolate(coarse, size=size, mode="bilinear")
        return Conditions(picture, embedded, pyramid(embedded, self.shrink))

    def denoise(
        self, noisy: torch.Tensor, log_snr: torch.Tensor, conditions: Conditions
    ) -> torch.Tensor:
        """The clean image [B, 3, H, W] in about 0..1.

        noisy: [B, 3, H, W], the image in -1..1 times alpha plus noise times sigma. log_snr:
        log(alpha^2 / sigma^2) [B]; anything below -12 is pure noise.
        """
        return self.decode(*self.encode(noisy, log_snr), conditions)

    def encode(
        self, noisy: torch.Tensor, log_snr: torch.Tensor, hint: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """What is seen of the noisy image: features at 1/2, to which `hint` of the same shape is
        added, and those below, the finest first."""
        seen = self.look(F.pixel_unshuffle(noisy, SHARES_STRIDE))
        seen = seen if hint is None else seen + hint
        below, features = [], seen
        level = self.level(_waves(log_snr).to(noisy.dtype))[..., None, None]
        shifts = level.split(self.widths, dim=1)
        for sink, shift in zip(self.sink, shifts, strict=True):
            features = torch.relu_(sink(torch.relu(features)) + shift)
            below.append(features)
        return seen, below

    def decode(
        self, seen: torch.Tensor, below: list[torch.Tensor], conditions: Conditions
    ) -> torch.Tensor:
        """The clean image of what `encode` gives."""
        x = torch.relu_(self.start(conditions.pyramid[-1]))
        x = climb(x, self.blocks, self.widen, conditions.pyramid, below)
        # Bilinear steps up to 1/2, then a shuffle by two: one by four leaves a grid on flat
        # surfaces.
        x = torch.relu_(self.at_half(x.add_(conditions.embedded).add_(seen)))
        for block in self.fine:
            x = block(x, conditions.embedded)
        return F.pixel_shuffle(self.to_image(x), SHARES_STRIDE) + conditions.picture


def _waves(log_snr: torch.Tensor) -> torch.Tensor:
    """Sines and cosines [B, LEVEL_FEATURES] of a log-SNR [B], as positions are told apart."""
    ends, count = (math.log(0.05), math.log(2.0)), LEVEL_FEATURES // 2
    rates = torch.exp(torch.linspace(*ends, count, device=log_snr.device))
    angles = log_snr.float().clamp(-12, 12)[:, None] * rates
    return torch.cat((angles.sin(), angles.cos()), 1)
