# SPDX-License-Identifier: Apache-2.0
"""Both pipelines of SQ-GAN at the sizes of the paper.

Pezone, Barbarossa, Caire, "SQ-GAN: Semantic Image Communications Using Masked Vector Quantization",
2025 (arXiv 2502.09520). The networks are those of VQGAN (Esser, Rombach, Ommer 2021) with SPADE in
the image's decoder. In the form of the released code they have its 186.3 M parameters, less an
attention in each SAMM and projections of a time in each ADM, which it creates and never uses:
2.9 M.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.sqgan.masking import opening
from semcom_ros.codecs.sqgan.pipeline import Pipeline, ReceiverNetwork, TransmitterNetwork
from semcom_ros.errors import SemcomError, choose, given
from semcom_ros.label_spaces import SPACES
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.layers.unet import (
    GroupAttention,
    PlainGroupNorm,
    SpadeGroupNorm,
    UNetSizes,
)
from semcom_ros.layers.vector_quantiser import VectorQuantiser

CLASS_PLANES = len(SPACES[LABEL_SPACE].names)
"""Of the map where it conditions: one for each trainId, in their order."""
MAP_PLANES = SPACES[LABEL_SPACE].class_planes
"""Of the map as it is sent: a last one for void."""
FORMS = ("text", "code")
"""As the paper's text has it, or as its released code does where that differs."""
HEADS = 8
"""Of every attention in the text's form, which gives no number: so many has the attention that the
released SAMM creates and never uses."""
PlainNorm = partial(PlainGroupNorm, eps=1e-6)


@dataclass(frozen=True)
class SqganPaperSizes(UNetSizes):
    """Sizes of both pipelines; by default those of the paper for Cityscapes, 256x512.

    blocks: residual blocks a level of the encoders; decoders have one more. dims: length of a
    codeword and channels between encoder and decoder. depth: attentions of ADM. hidden: channels
    inside each SPADE. form: "text" has SemPE in as many channels as the features, halves sides by
    average pooling and attends with several heads; "code" has SemPE in one channel, strided
    convolutions and one head. Raises SemcomError for widths that the groups do not divide.
    """

    width: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2
    dims: int = 256
    depth: int = 8
    hidden: int = 128
    codewords: int = 1024
    form: str = FORMS[0]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_groups("dims", self.dims)
        if min(self.blocks, self.depth, self.hidden, self.codewords) < 1:
            raise SemcomError("Blocks, depth, hidden channels and codewords start at 1: give more.")
        choose(self.form, FORMS, "form of SQ-GAN's networks")

    @property
    def as_text(self) -> bool:
        return self.form == FORMS[0]

    def attention(self, channels: int) -> GroupAttention:
        return GroupAttention(channels, HEADS if self.as_text else 1, eps=1e-6)

    def down(self, channels: int) -> nn.Module:
        """Half the sides."""
        return nn.AvgPool2d(2) if self.as_text else Down(channels)


class GroupResidual(nn.Module):
    """Two convolutions on top of their input, each behind a normalisation and SiLU."""

    def __init__(self, cin: int, cout: int, norm: Callable[[int], nn.Module] = PlainNorm):
        super().__init__()
        self.first_norm, self.second_norm = norm(cin), norm(cout)
        self.first = nn.Conv2d(cin, cout, 3, padding=1)
        self.second = nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Identity() if cin == cout else nn.Conv2d(cin, cout, 1)

    def forward(self, x: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        inner = self.first(F.silu(self.first_norm(x, planes)))
        return self.skip(x) + self.second(F.silu(self.second_norm(inner, planes)))


class Down(nn.Conv2d):
    """Half the sides, by a strided convolution."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


class Up(nn.Conv2d):
    """Twice the sides."""

    def __init__(self, channels: int):
        super().__init__(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


def stem(c: SqganPaperSizes, cin: int) -> list[nn.Module]:
    """What is seen [B, cin, H, W] -> [B, width, H, W]."""
    return [nn.Conv2d(cin, c.width, 3, padding=1), PlainNorm(c.width)]


def trunk(c: SqganPaperSizes) -> list[nn.Module]:
    """Features of the stem [B, width, H, W] -> [B, dims, h, w]: levels of blocks with a halving
    between, attention at the coarsest."""
    layers: list[nn.Module] = []
    channels = c.width
    for level, width in enumerate(c.widths):
        if level:
            layers.append(c.down(channels))
        for _ in range(c.blocks):
            layers.append(GroupResidual(channels, width))
            channels = width
            if level == len(c.widths) - 1:
                layers.append(c.attention(channels))
    layers += [GroupResidual(channels, channels), c.attention(channels)]
    layers += [GroupResidual(channels, channels), PlainNorm(channels), nn.SiLU()]
    return [*layers, nn.Conv2d(channels, c.dims, 3, padding=1)]


class PaperImageEncoder(nn.Module):
    """Image [B, 3, H, W], normalised, and class planes [B, CLASS_PLANES, H, W] -> features.

    SemPE, `place`, is added to the image's stem: a plane of the map for each channel of it, or one
    for all.
    """

    def __init__(self, c: SqganPaperSizes):
        super().__init__()
        planes = c.width if c.as_text else 1
        self.place = nn.Sequential(
            nn.Conv2d(CLASS_PLANES, c.width, 3, padding=1), nn.ReLU(), nn.Conv2d(c.width, planes, 1)
        )
        self.look = nn.Sequential(*stem(c, 3))
        self.trunk = nn.Sequential(*trunk(c))

    def forward(self, image: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        return self.trunk(self.look(image) + self.place(planes))


class PaperSamm(nn.Module):
    """Relevance [B, 1, h, w] in 0..1 of features [B, dims, h, w], conditioned on class planes."""

    def __init__(self, c: SqganPaperSizes):
        super().__init__()
        self.first_norm, self.second_norm = (
            SpadeGroupNorm(c.dims, CLASS_PLANES, c.hidden) for _ in range(2)
        )
        self.first = nn.Conv2d(c.dims, c.dims, 3, padding=1)
        self.score = nn.Conv2d(c.dims, 1, 1)

    def forward(self, features: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(self.first_norm(features, planes)))
        x = self.second_norm(x, planes).float()
        # The convolution as a sum in float32, whatever the precision around it: half precision has
        # so few values that many cells would tie.
        score, bias = self.score.weight.float(), given(self.score.bias).float()
        return torch.sigmoid((x * score).sum(1, keepdim=True) + bias)


class PaperAdm(nn.Module):
    """Received codes [B, dims, h, w], a placeholder elsewhere, -> features [B, dims, h, w]."""

    def __init__(self, c: SqganPaperSizes):
        super().__init__()
        n = c.dims
        self.placeholder = nn.Parameter(torch.empty(1, n, 1, 1).uniform_(-1 / n, 1 / n))
        self.enter = nn.Sequential(nn.Conv2d(n, n, 1), nn.Conv2d(n, n, 3, padding=1))
        self.blocks = nn.ModuleList(GroupResidual(n, n) for _ in range(c.depth))
        self.attention = nn.ModuleList(c.attention(n) for _ in range(c.depth))
        self.last = GroupResidual(n, n)

    def forward(self, codes: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        x = self.enter(self.placeholder + kept * (codes - self.placeholder))
        heard = kept.detach()
        for layer, (block, attention) in enumerate(zip(self.blocks, self.attention, strict=True)):
            x = attention(block(x), heard + (1 - heard) * opening(layer))
        return self.last(x)


class PaperDecoder(nn.Module):
    """Features [B, dims, h, w] -> [B, cout, H, W]: an encoder backwards.

    spade: read class planes [B, CLASS_PLANES, H, W] in every block, and have no middle.
    """

    def __init__(self, c: SqganPaperSizes, cout: int, spade: bool):
        super().__init__()
        norm: Callable[[int], nn.Module] = PlainNorm
        if spade:
            norm = partial(SpadeGroupNorm, planes=CLASS_PLANES, hidden=c.hidden)
        channels = c.widths[-1]
        self.enter = nn.Conv2d(c.dims, channels, 3, padding=1)
        self.layers = nn.ModuleList()
        if not spade:
            self.layers.append(GroupResidual(channels, channels))
            self.layers += [c.attention(channels), GroupResidual(channels, channels)]
        for level, width in reversed(list(enumerate(c.widths))):
            for _ in range(c.blocks + 1):
                self.layers.append(GroupResidual(channels, width, norm))
                channels = width
                if level == len(c.widths) - 1:
                    self.layers.append(c.attention(channels))
            if level:
                self.layers.append(Up(channels))
        self.last_norm = PlainNorm(channels)
        self.last = nn.Conv2d(channels, cout, 3, padding=1)

    def forward(self, features: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        x = self.enter(features)
        for layer in self.layers:
            x = layer(x, planes) if isinstance(layer, GroupResidual) else layer(x)
        return self.last(F.silu(self.last_norm(x)))


def map_pipeline(c: SqganPaperSizes) -> Pipeline:
    """The map's: one-hot maps [B, MAP_PLANES, H, W] in, logits of that shape out."""
    encoder = nn.Sequential(*stem(c, MAP_PLANES), *trunk(c))
    return _pipeline(c, encoder, PaperDecoder(c, MAP_PLANES, spade=False))


def image_pipeline(c: SqganPaperSizes) -> Pipeline:
    """The image's: normalised images [B, 3, H, W] and class planes in, images out."""
    return _pipeline(c, PaperImageEncoder(c), PaperDecoder(c, 3, spade=True))


def _pipeline(c: SqganPaperSizes, encoder: nn.Module, decoder: nn.Module) -> Pipeline:
    transmitter = TransmitterNetwork(encoder, PaperSamm(c), c.dims, c.dims)
    # Only the scaling by its score teaches the released SAMM what to keep.
    return Pipeline(
        transmitter,
        VectorQuantiser(c.codewords, c.dims),
        ReceiverNetwork(PaperAdm(c), decoder),
        straight=False,
    )
