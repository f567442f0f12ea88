# SPDX-License-Identifier: Apache-2.0
"""The paper's denoising network: a U-Net whose decoder reads the semantic map through SPADE.

Grassucci, Barbarossa, Comminiello, "Generative semantic communication: diffusion models beyond
bit recovery", arXiv 2306.04321, figure 3; after Wang et al., "Semantic image synthesis via
diffusion models", arXiv 2207.00050, and the U-Net of Dhariwal and Nichol, "Diffusion models beat
GANs on image synthesis", NeurIPS 2021. The encoder sees the noisy image alone and has no SPADE:
the released code creates one there in every block, 20.7 M parameters, and never calls it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn
from torch.utils.checkpoint import checkpoint

from semcom_ros.codecs.gesco.paper.configuration import GROUPS, PLANES, Configuration
from semcom_ros.errors import given

Maps = dict[int, torch.Tensor]
"""The map at each resolution, by height in pixels."""


class PlainNorm(nn.GroupNorm):
    """Group normalisation that takes no notice of the map."""

    def __init__(self, channels: int):
        super().__init__(GROUPS, channels)

    def forward(self, x: torch.Tensor, maps: Maps | None = None) -> torch.Tensor:
        return super().forward(x)


class SpadeNorm(nn.Module):
    """Group normalisation, then scale and shift per pixel from the map (Park et al. 2019)."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, affine=False)
        self.read = nn.Conv2d(PLANES, hidden, 3, padding=1)
        self.modulate = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: torch.Tensor, maps: Maps) -> torch.Tensor:
        scale, shift = self.modulate(F.relu(self.read(maps[x.shape[-2]]))).chunk(2, 1)
        return self.norm(x) * (1 + scale) + shift


def down(x: torch.Tensor) -> torch.Tensor:
    """Half the sides: means of 2x2 pixels."""
    return F.avg_pool2d(x, 2)


def up(x: torch.Tensor) -> torch.Tensor:
    """Twice the sides: every pixel four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class ResidualBlock(nn.Module):
    """Two convolutions on top of their input, told the time by a scale and a shift of channels."""

    def __init__(
        self,
        cin: int,
        cout: int,
        time: int,
        norm: Callable[[int], nn.Module],
        resample: Callable[[torch.Tensor], torch.Tensor],
    ):
        super().__init__()
        self.resample = resample
        self.first_norm = norm(cin)
        self.first = nn.Conv2d(cin, cout, 3, padding=1)
        self.time = nn.Linear(time, 2 * cout)
        self.second_norm = norm(cout)
        self.second = _zeroed(nn.Conv2d(cout, cout, 3, padding=1))
        self.skip = nn.Identity() if cin == cout else nn.Conv2d(cin, cout, 1)

    def forward(self, x: torch.Tensor, time: torch.Tensor, maps: Maps) -> torch.Tensor:
        inner = self.first(self.resample(F.silu(self.first_norm(x, maps))))
        scale, shift = self.time(time)[..., None, None].chunk(2, 1)
        inner = self.second_norm(inner, maps) * (1 + scale) + shift
        return self.skip(self.resample(x)) + self.second(F.silu(inner))


class Attention(nn.Module):
    """Self-attention over all pixels, on top of its input."""

    def __init__(self, channels: int, head: int):
        super().__init__()
        self.head = head
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.project = nn.Conv2d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        split = (batch, 3, channels // self.head, self.head, height * width)
        query, key, value = self.project(self.norm(x)).reshape(split).transpose(-1, -2).unbind(1)
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(seen.transpose(-1, -2).reshape(x.shape))


class Stage(nn.Module):
    """A residual block, and attention where it has some."""

    def __init__(self, block: ResidualBlock, attention: nn.Module):
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: torch.Tensor, time: torch.Tensor, maps: Maps) -> torch.Tensor:
        return self.attention(self.block(x, time, maps))


class PaperNetwork(nn.Module):
    """Noise and variance of a noisy image, given its step and the map.

    forward(noisy [B, 3, H, W], steps [B] of 0 to 999, planes [B, PLANES, H, W]) -> [B, 6, H, W]:
    three planes of noise, then the three fractions v of the variance, -1 to 1, that
    `diffusion.log_variance` reads. Planes are one-hot or soft; all 0 is the null map. H and W are
    multiples of `configuration.reduction`. By default 653.1 M parameters.
    checkpointing: in training, compute activations anew in the backward pass instead of keeping
    them.
    """

    def __init__(self, configuration: Configuration, checkpointing: bool = False):
        super().__init__()
        self.configuration = c = configuration
        self.checkpointing = checkpointing
        hidden_time = 4 * c.width

        def stage(
            cin: int,
            cout: int,
            norm: Callable[[int], nn.Module],
            attends: bool = False,
            resample: Callable[[torch.Tensor], torch.Tensor] = _same,
        ) -> Stage:
            block = ResidualBlock(cin, cout, hidden_time, norm, resample)
            return Stage(block, Attention(cout, c.head) if attends else nn.Identity())

        def spade(channels: int) -> nn.Module:
            return SpadeNorm(channels, c.hidden)

        self.time = nn.Sequential(
            nn.Linear(c.width, hidden_time), nn.SiLU(), nn.Linear(hidden_time, hidden_time)
        )
        self.stem = nn.Conv2d(3, c.width, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        levels = [(c.width * m, 2**k in c.attention) for k, m in enumerate(c.multipliers)]
        channels = c.width
        skips = [channels]
        for width, attends in levels:
            if len(skips) > 1:
                self.encoder.append(stage(channels, channels, PlainNorm, resample=down))
                skips.append(channels)
            for _ in range(c.blocks):
                self.encoder.append(stage(channels, width, PlainNorm, attends))
                channels = width
                skips.append(channels)
        self.middle = nn.ModuleList(
            stage(channels, channels, spade, attends) for attends in (True, False)
        )
        for level, (width, attends) in reversed(list(enumerate(levels))):
            steps = nn.ModuleList()
            for _ in range(c.blocks + 1):
                steps.append(stage(channels + skips.pop(), width, spade, attends))
                channels = width
            self.decoder.append(steps)
            if level:
                self.decoder.append(stage(channels, channels, spade, resample=up))
        self.last_norm = nn.GroupNorm(GROUPS, channels)
        self.last = _zeroed(nn.Conv2d(channels, 6, 3, padding=1))

    def forward(
        self, noisy: torch.Tensor, steps: torch.Tensor, planes: torch.Tensor
    ) -> torch.Tensor:
        # Every 2nd, 4th, ... pixel: what an interpolation to the nearest gives.
        factors = (2**k for k in range(len(self.configuration.multipliers)))
        maps = {planes.shape[-2] // f: planes[..., ::f, ::f] for f in factors}
        angles = get_timestep_embedding(
            steps, self.configuration.width, flip_sin_to_cos=True, downscale_freq_shift=0
        )
        time = F.silu(self.time(angles.to(noisy.dtype)))

        x = self.stem(noisy)
        skips = [x]
        for stage in self.encoder:
            x = self._run(stage, x, time, maps)
            skips.append(x)
        for stage in self.middle:
            x = self._run(stage, x, time, maps)
        for part in self.decoder:
            if not isinstance(part, nn.ModuleList):
                x = self._run(part, x, time, maps)
                continue
            for stage in part:
                x = self._run(stage, torch.cat([x, skips.pop()], 1), time, maps)
        return self.last(F.silu(self.last_norm(x)))

    def _run(
        self, stage: nn.Module, x: torch.Tensor, time: torch.Tensor, maps: Maps
    ) -> torch.Tensor:
        if self.checkpointing and self.training:
            return checkpoint(stage, x, time, maps, use_reentrant=False)
        return stage(x, time, maps)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _zeroed(convolution: nn.Conv2d) -> nn.Conv2d:
    """With weights of 0, so that at first a block adds nothing."""
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(given(convolution.bias))
    return convolution
