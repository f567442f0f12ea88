# SPDX-License-Identifier: Apache-2.0
"""Both pipelines of SQ-GAN at the sizes of the paper.

The networks are those of VQGAN (Esser, Rombach, Ommer 2021) with SPADE in the image's decoder. They
have the 186.3 M parameters of the released code, less an attention in each SAMM and projections of
a time in each ADM, which it creates and never uses: 2.9 M.
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.sqgan.masking import opening
from semcom_ros.codecs.sqgan.paper.blocks import (
    Attention,
    Down,
    PlainNorm,
    ResidualBlock,
    SpadeNorm,
    Up,
)
from semcom_ros.codecs.sqgan.paper.configuration import (
    CLASS_PLANES,
    GROUPS,
    MAP_PLANES,
    Configuration,
)
from semcom_ros.codecs.sqgan.pipeline import Pipeline, ReceiverNetwork, TransmitterNetwork
from semcom_ros.layers.vector_quantiser import VectorQuantiser


class Trunk(nn.Module):
    """Features of the stem [B, width, H, W] -> [B, dims, h, w]: levels of blocks with a halving
    between, attention at the coarsest."""

    def __init__(self, c: Configuration):
        super().__init__()
        layers: list[nn.Module] = []
        channels = c.width
        for level, width in enumerate(c.widths):
            if level:
                layers.append(Down(channels))
            for _ in range(c.blocks):
                layers.append(ResidualBlock(channels, width))
                channels = width
                if level == len(c.widths) - 1:
                    layers.append(Attention(channels))
        layers += [ResidualBlock(channels, channels), Attention(channels)]
        layers += [ResidualBlock(channels, channels), PlainNorm(channels), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels, c.dims, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class ImageEncoder(nn.Module):
    """Image [B, 3, H, W], normalised, and class planes [B, CLASS_PLANES, H, W] -> features.

    SemPE, one channel of the map, is added to all channels of the image's stem.
    """

    def __init__(self, c: Configuration):
        super().__init__()
        self.place = nn.Sequential(
            nn.Conv2d(CLASS_PLANES, c.width, 3, padding=1), nn.ReLU(), nn.Conv2d(c.width, 1, 1)
        )
        self.look = nn.Sequential(
            nn.Conv2d(3, c.width, 3, padding=1), nn.GroupNorm(GROUPS, c.width)
        )
        self.trunk = Trunk(c)

    def forward(self, image: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        return self.trunk(self.look(image) + self.place(planes))


class MapEncoder(nn.Sequential):
    """One-hot map [B, MAP_PLANES, H, W] -> features."""

    def __init__(self, c: Configuration):
        super().__init__(nn.Conv2d(MAP_PLANES, c.width, 3, padding=1), Trunk(c))


class Samm(nn.Module):
    """Relevance [B, 1, h, w] in 0..1 of features [B, dims, h, w], conditioned on class planes."""

    def __init__(self, c: Configuration):
        super().__init__()
        self.first_norm, self.second_norm = (SpadeNorm(c.dims, c.hidden) for _ in range(2))
        self.first = nn.Conv2d(c.dims, c.dims, 3, padding=1)
        self.score = nn.Conv2d(c.dims, 1, 1)

    def forward(self, features: torch.Tensor, planes: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.first(self.first_norm(features, planes)))
        return torch.sigmoid(self.score(self.second_norm(x, planes)))


class Adm(nn.Module):
    """Received codes [B, dims, h, w], a placeholder elsewhere, -> features [B, dims, h, w]."""

    def __init__(self, c: Configuration):
        super().__init__()
        n = c.dims
        self.placeholder = nn.Parameter(torch.empty(1, n, 1, 1).uniform_(-1 / n, 1 / n))
        self.enter = nn.Sequential(nn.Conv2d(n, n, 1), nn.Conv2d(n, n, 3, padding=1))
        self.blocks = nn.ModuleList(ResidualBlock(n, n) for _ in range(c.depth))
        self.attention = nn.ModuleList(Attention(n) for _ in range(c.depth))
        self.last = ResidualBlock(n, n)

    def forward(self, codes: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        x = self.enter(self.placeholder + kept * (codes - self.placeholder))
        heard = kept.detach()
        for layer, (block, attention) in enumerate(zip(self.blocks, self.attention, strict=True)):
            x = attention(block(x), heard + (1 - heard) * opening(layer))
        return self.last(x)


class Decoder(nn.Module):
    """Features [B, dims, h, w] -> [B, cout, H, W]: an encoder backwards.

    spade: read class planes [B, CLASS_PLANES, H, W] in every block, and have no middle.
    """

    def __init__(self, c: Configuration, cout: int, spade: bool):
        super().__init__()
        norm = partial(SpadeNorm, hidden=c.hidden) if spade else PlainNorm
        channels = c.widths[-1]
        self.enter = nn.Conv2d(c.dims, channels, 3, padding=1)
        self.layers = nn.ModuleList()
        if not spade:
            self.layers.append(ResidualBlock(channels, channels))
            self.layers += [Attention(channels), ResidualBlock(channels, channels)]
        for level, width in reversed(list(enumerate(c.widths))):
            for _ in range(c.blocks + 1):
                self.layers.append(ResidualBlock(channels, width, norm))
                channels = width
                if level == len(c.widths) - 1:
                    self.layers.append(Attention(channels))
            if level:
                self.layers.append(Up(channels))
        self.last_norm = PlainNorm(channels)
        self.last = nn.Conv2d(channels, cout, 3, padding=1)

    def forward(self, features: torch.Tensor, planes: torch.Tensor | None = None) -> torch.Tensor:
        x = self.enter(features)
        for layer in self.layers:
            x = layer(x, planes) if isinstance(layer, ResidualBlock) else layer(x)
        return self.last(F.silu(self.last_norm(x)))


def map_pipeline(c: Configuration) -> Pipeline:
    """The map's: one-hot maps [B, MAP_PLANES, H, W] in, logits of that shape out."""
    return _pipeline(c, MapEncoder(c), Decoder(c, MAP_PLANES, spade=False))


def image_pipeline(c: Configuration) -> Pipeline:
    """The image's: normalised images [B, 3, H, W] and class planes in, images out."""
    return _pipeline(c, ImageEncoder(c), Decoder(c, 3, spade=True))


def _pipeline(c: Configuration, encoder: nn.Module, decoder: nn.Module) -> Pipeline:
    transmitter = TransmitterNetwork(encoder, Samm(c), c.dims, c.dims)
    # Only the scaling by its score teaches the released SAMM what to keep.
    return Pipeline(
        transmitter,
        VectorQuantiser(c.codewords, c.dims),
        ReceiverNetwork(Adm(c), decoder),
        straight=False,
    )
