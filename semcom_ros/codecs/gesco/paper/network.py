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
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding
from torch import nn
from torch.utils.checkpoint import checkpoint

from semcom_ros.errors import SemcomError, choose, given
from semcom_ros.layers.attention import attend
from semcom_ros.layers.unet import (
    GROUPS,
    GroupAttention,
    PlainGroupNorm,
    SpadeGroupNorm,
    UNetSizes,
)

SIMILARITIES = ("cosine", "dot")
"""Of query and key in attention: as the paper's text has it, and as the released code does."""


@dataclass(frozen=True)
class GescoPaperSizes(UNetSizes):
    """Sizes of `PaperNetwork`; by default those of the paper for Cityscapes, 256x512.

    blocks: residual blocks a level. attention: the reductions of the side at which it stands. head:
    channels of one head of attention. hidden: channels inside each SPADE. planes: of the map, by
    default Cityscapes' 35 classes and the edges of instances. similarity: of `SIMILARITIES`.
    Raises SemcomError for widths that groups or heads do not divide.
    """

    spaces = ("cityscapes35", "cityscapes19", "coco183", "voc21")
    width: int = 256
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    blocks: int = 2
    attention: tuple[int, ...] = (8, 16, 32)
    head: int = 64
    hidden: int = 128
    planes: int = 36
    similarity: str = "cosine"

    def __post_init__(self) -> None:
        super().__post_init__()
        choose(self.similarity, SIMILARITIES, "similarity of attention")
        attended = [w for k, w in enumerate(self.widths) if 2**k in self.attention]
        for channels in (*attended, self.widths[-1]):
            if channels % self.head:
                raise SemcomError(
                    f"{channels} channels do not split into heads of {self.head}: "
                    "choose other widths or multipliers."
                )


def down(x: torch.Tensor) -> torch.Tensor:
    """Half the sides: means of 2x2 pixels."""
    return F.avg_pool2d(x, 2)


def up(x: torch.Tensor) -> torch.Tensor:
    """Twice the sides: every pixel four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


class TimedResidual(nn.Module):
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

    def forward(self, x: torch.Tensor, time: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        inner = self.first(self.resample(F.silu(self.first_norm(x, planes))))
        scale, shift = self.time(time)[..., None, None].chunk(2, 1)
        inner = self.second_norm(inner, planes) * (1 + scale) + shift
        return self.skip(self.resample(x)) + self.second(F.silu(inner))


class CosineAttention(GroupAttention):
    """Attention by the cosine of query and key, times a learned scale, in place of their product.

    The scale begins at 10: the softmax of bare cosines would hardly tell positions apart.
    """

    def __init__(self, channels: int, heads: int):
        super().__init__(channels, heads)
        self.scale = nn.Parameter(torch.full((1,), 10.0))

    def forward(self, x: torch.Tensor, heard: torch.Tensor | None = None) -> torch.Tensor:
        query, key, value = self.project(self.norm(x)).chunk(3, 1)
        # `attend` divides products by the root of a head's channels.
        scale = self.scale * (x.shape[1] / self.heads) ** 0.5
        seen = attend(self._unit(query) * scale, self._unit(key), value, self.heads, heard)
        return x + self.out(seen)

    def _unit(self, x: torch.Tensor) -> torch.Tensor:
        """Every position's vector, of each head, at length 1."""
        return F.normalize(x.unflatten(1, (self.heads, -1)), dim=2).flatten(1, 2)


class PaperStage(nn.Module):
    """A residual block, and attention where it has some."""

    def __init__(self, block: TimedResidual, attention: nn.Module):
        super().__init__()
        self.block = block
        self.attention = attention

    def forward(self, x: torch.Tensor, time: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        return self.attention(self.block(x, time, planes))


class PaperNetwork(nn.Module):
    """Noise and variance of a noisy image, given its step and the map.

    forward(noisy [B, 3, H, W], steps [B] of 0 to 999, planes [B, planes, H, W]) -> [B, 6, H, W]:
    three planes of noise, then the three fractions v of the variance, -1 to 1, of which the sampler
    makes it. Planes are one-hot or soft; all 0 is the null map. H and W are multiples of
    `sizes.reduction`. By default 654.0 M parameters.
    checkpointing: in training, compute activations anew in the backward pass instead of keeping
    them.
    """

    def __init__(self, sizes: GescoPaperSizes, checkpointing: bool = False):
        super().__init__()
        self.sizes, self.checkpointing = sizes, checkpointing
        hidden_time = 4 * sizes.width

        def stage(
            cin: int,
            cout: int,
            norm: Callable[[int], nn.Module],
            attends: bool = False,
            resample: Callable[[torch.Tensor], torch.Tensor] = _same,
        ) -> PaperStage:
            block = TimedResidual(cin, cout, hidden_time, norm, resample)
            if not attends:
                return PaperStage(block, nn.Identity())
            kind = CosineAttention if sizes.similarity == "cosine" else GroupAttention
            attention = kind(cout, cout // sizes.head)
            _zeroed(attention.out)
            return PaperStage(block, attention)

        def spade(channels: int) -> nn.Module:
            return SpadeGroupNorm(channels, sizes.planes, sizes.hidden)

        self.time = nn.Sequential(
            nn.Linear(sizes.width, hidden_time), nn.SiLU(), nn.Linear(hidden_time, hidden_time)
        )
        self.stem = nn.Conv2d(3, sizes.width, 3, padding=1)
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        levels = [(width, 2**k in sizes.attention) for k, width in enumerate(sizes.widths)]
        channels = sizes.width
        skips = [channels]
        for width, attends in levels:
            if len(skips) > 1:
                self.encoder.append(stage(channels, channels, PlainGroupNorm, resample=down))
                skips.append(channels)
            for _ in range(sizes.blocks):
                self.encoder.append(stage(channels, width, PlainGroupNorm, attends))
                channels = width
                skips.append(channels)
        self.middle = nn.ModuleList(
            stage(channels, channels, spade, attends) for attends in (True, False)
        )
        for level, (width, attends) in reversed(list(enumerate(levels))):
            steps = nn.ModuleList()
            for _ in range(sizes.blocks + 1):
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
        angles = get_timestep_embedding(
            steps, self.sizes.width, flip_sin_to_cos=True, downscale_freq_shift=0
        )
        time = F.silu(self.time(angles.to(noisy.dtype)))

        def run(stage: nn.Module, x: torch.Tensor) -> torch.Tensor:
            if self.checkpointing and self.training:
                return checkpoint(stage, x, time, planes, use_reentrant=False)
            return stage(x, time, planes)

        x = self.stem(noisy)
        skips = [x]
        for stage in self.encoder:
            x = run(stage, x)
            skips.append(x)
        for stage in self.middle:
            x = run(stage, x)
        for part in self.decoder:
            if not isinstance(part, nn.ModuleList):
                x = run(part, x)
                continue
            for stage in part:
                x = run(stage, torch.cat([x, skips.pop()], 1))
        return self.last(F.silu(self.last_norm(x)))


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _zeroed(convolution: nn.Conv2d) -> nn.Conv2d:
    """With weights of 0, so that at first a block adds nothing."""
    nn.init.zeros_(convolution.weight)
    nn.init.zeros_(given(convolution.bias))
    return convolution
