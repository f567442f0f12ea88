# SPDX-License-Identifier: Apache-2.0
"""The networks at the vehicle: source knowledge base and JSCC encoder. At the RSU: the received
knowledge base, and the heads for picture and map beside it.

What is asked for is a pair a sample, `wanted` [B, 2]: 1 for the picture, 1 for the map.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.image_network import PictureTransformer
from semcom_ros.codecs.gsc.linear_path import SNR_SCALE, LinearPlanes
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.codecs.gsc.symbols import keep_planes, to_planes
from semcom_ros.layers.residual import PlainResidual
from semcom_ros.layers.swin import SwinPyramid

UNSHUFFLED = 8
"""Side of the blocks of pixels that the narrow encoders take as channels: that of the grid on which
levels are added."""
WIDENED = 12
"""Channels of the features beside the pixels, at full size, where the encoder takes pixels."""
QUIET, LOUD = 1e-3, 10.0
"""Noise variances beyond which nothing is told apart: 30 and -10 dB."""


class SourceKnowledge(nn.Module):
    """Images [B, 3, H, W] -> features [B, common, H/8, W/8], of the levels that the task takes.

    A picture takes all three, a map alone those of shapes and objects.
    """

    def __init__(self, sizes: GscSizes):
        super().__init__()
        s, self.chooses = sizes, "levels" not in sizes.without
        self.pyramid = SwinPyramid(s.channels, s.depths, s.heads, s.window, s.patch)
        self.norms = nn.ModuleList(nn.LayerNorm(c) for c in s.channels[1:])
        self.project = nn.ModuleList(nn.Conv2d(c, s.common, 1) for c in s.channels[1:])

    def forward(self, images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        size = [side // UNSHUFFLED for side in images.shape[-2:]]
        total: torch.Tensor | None = None
        for at, level in enumerate(self.pyramid(images)):
            # While it learns no pass waits to hear what is in the batch.
            less = at == 0 and self.chooses
            if less and not self.training and not wanted[:, 0].any():
                continue
            shown = self.project[at](self.norms[at](level).permute(0, 3, 1, 2))
            if shown.shape[-2:] != torch.Size(size):
                shown = F.interpolate(shown, size=size, mode="bilinear")
            if less:
                shown = shown * wanted[:, :1, None, None].to(shown.dtype)
            total = shown if total is None else total + shown
        assert total is not None
        return total


class NoKnowledge(nn.Module):
    """In place of `SourceKnowledge`: nothing is known but the pixels."""

    def __init__(self, sizes: GscSizes):
        super().__init__()
        self.common = sizes.common

    def forward(self, images: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        height, width = (side // UNSHUFFLED for side in images.shape[-2:])
        return images.new_zeros(len(images), self.common, height, width)


class JsccEncoder(nn.Module):
    """Images and features -> planes [B, 2 planes, H/stride, W/stride], not yet of unit power.

    Hears the link's SNR, dB [B], and what is asked for, not how many planes are going to be sent:
    those of few must be the first of many. Source of the gate: Xu et al., ADJSCC, 2022.
    """

    def __init__(self, sizes: GscSizes):
        super().__init__()
        hidden, self.stride = sizes.hidden, sizes.stride
        # Half of the strides are the last convolution's.
        self.pixels = sizes.stride < 2 * UNSHUFFLED
        if self.pixels:
            self.widen: nn.Module = nn.Conv2d(sizes.common, WIDENED, 1)
            given, step = 3 + WIDENED, sizes.stride // 2
        else:
            given, step = 3 * UNSHUFFLED**2 + sizes.common, sizes.stride // 2 // UNSHUFFLED
        self.first = nn.Conv2d(given, hidden, 3, step, 1)
        self.second = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.skip = nn.Conv2d(given, hidden, 1, step)
        inner = max(1, hidden // 16)
        self.gate = nn.Sequential(
            nn.Linear(hidden + 3, inner), nn.ReLU(), nn.Linear(inner, hidden), nn.Sigmoid()
        )
        self.last = nn.Conv2d(hidden, 2 * sizes.planes, 3, 2, 1)

    def forward(
        self,
        images: torch.Tensor,
        features: torch.Tensor,
        wanted: torch.Tensor,
        snr_db: torch.Tensor,
    ) -> torch.Tensor:
        if self.pixels:
            size = images.shape[-2:]
            beside = F.interpolate(self.widen(features), size=size, mode="bilinear")
        else:
            images, beside = F.pixel_unshuffle(images, UNSHUFFLED), features
        x = torch.cat([images, beside], 1)
        x = torch.relu(self.skip(x) + self.second(torch.relu(self.first(x))))
        told = torch.cat([snr_db[:, None] / SNR_SCALE, wanted], 1).to(x.dtype)
        gate = self.gate(torch.cat([x.mean((2, 3)), told], 1))
        return self.last(x * gate[:, :, None, None])


class GscSender(nn.Module):
    """The vehicle's networks: images float [B, 3, H, W] in 0..1, what is wanted and the SNR ->
    planes float32 [B, 2 planes, H/stride, W/stride]."""

    def __init__(self, sizes: GscSizes):
        super().__init__()
        knowledge = NoKnowledge if "source" in sizes.without else SourceKnowledge
        self.knowledge, self.encoder = knowledge(sizes), JsccEncoder(sizes)
        self.linear = LinearPlanes(sizes) if sizes.linear else None

    def forward(
        self, images: torch.Tensor, wanted: torch.Tensor, snr_db: torch.Tensor
    ) -> torch.Tensor:
        images = images.to(self.encoder.last.weight.dtype)
        features = self.knowledge(images, wanted)
        planes = self.encoder(images, features, wanted, snr_db).float()
        return planes if self.linear is None else self.linear(planes, images, wanted, snr_db)


class Heard(NamedTuple):
    """A batch as it arrived.

    planes: float32 [B, 2 planes, h, w], 0 where nothing came. variance: of the noise, a place's
    mean, float32 [B, 1, h, w]. told: float32 [B, 4], the SNR in dB of what arrived, how many planes
    did, and whether picture and map are asked for.
    """

    planes: torch.Tensor
    variance: torch.Tensor
    told: torch.Tensor

    @classmethod
    def of(
        cls,
        symbols: torch.Tensor,
        noise_variance: torch.Tensor,
        kept: torch.Tensor,
        wanted: torch.Tensor,
        grid: tuple[int, int],
    ) -> Heard:
        """From symbols complex64 [B, n] and their noise's variance, of which the first `kept` [B]
        planes were sent."""
        planes = keep_planes(to_planes(symbols, grid), kept)
        variance = to_planes(noise_variance, grid)
        sent = torch.arange(variance.shape[1], device=kept.device)[None] < kept[:, None]
        variance = torch.einsum("bchw,bc->bhw", variance, sent.to(variance)) / kept[:, None, None]
        snr_db = -10 * variance.mean((1, 2)).clamp(QUIET, LOUD).log10()
        told = torch.cat([snr_db[:, None], kept[:, None].to(snr_db), wanted], 1)
        return cls(planes, variance[:, None], told)


class Contexts(NamedTuple):
    """What the received knowledge base makes of planes.

    context: for the picture, [B, hidden + 2 planes + 1, h, w]; shapes: the same for the map.
    """

    context: torch.Tensor
    shapes: torch.Tensor


class ReceivedKnowledge(nn.Module):
    """Planes as they arrived and the log of their noise -> features beside them.

    The map takes the first block's features, the picture those of both; without "received" both
    take those of one layer.
    """

    def __init__(self, sizes: GscSizes):
        super().__init__()
        self.stem = nn.Conv2d(2 * sizes.planes + 1, sizes.hidden, 1)
        count = 0 if "received" in sizes.without else 2
        self.blocks = nn.ModuleList(PlainResidual(sizes.hidden) for _ in range(count))

    def forward(self, planes: torch.Tensor, noise: torch.Tensor) -> Contexts:
        arrived = torch.cat([planes, noise], 1).to(self.stem.weight.dtype)
        first = self.stem(arrived)
        both = first
        if self.blocks:
            first = self.blocks[0](first)
            both = first + self.blocks[1](first)
        context, shapes = (torch.cat([f, arrived], 1) for f in (both, first))
        return Contexts(context, shapes)


class SymbolsToMap(nn.Module):
    """[B, cin, h, w] -> logits [B, classes, H/2, W/2], at full size for the papers' form."""

    def __init__(self, sizes: GscSizes, cin: int, classes: int):
        super().__init__()
        hidden, self.full = sizes.hidden, len(sizes.head) == 1
        self.stem = nn.Conv2d(cin, hidden, 1)
        self.blocks = nn.Sequential(PlainResidual(hidden), PlainResidual(hidden), nn.Dropout(0.1))
        self.larger = sizes.stride // (1 if self.full else 4)
        if self.full:
            self.last: nn.Module = nn.Conv2d(hidden, classes, 3, padding=1)
        else:
            less = 3 * hidden // 8
            self.narrow = nn.Conv2d(hidden, less, 1)
            self.last = nn.Sequential(
                PlainResidual(less), nn.Conv2d(less, 4 * classes, 1), nn.PixelShuffle(2)
            )

    def forward(self, shapes: torch.Tensor) -> torch.Tensor:
        x = self.stem(shapes)
        x = x + self.blocks(x)
        x = x if self.full else self.narrow(x)
        return self.last(F.interpolate(x, scale_factor=self.larger, mode="bilinear"))


class GscReceiver(nn.Module):
    """The RSU's networks, whose logits stand for `classes` kinds."""

    def __init__(self, sizes: GscSizes, classes: int):
        super().__init__()
        cin = sizes.hidden + 2 * sizes.planes + 1
        self.knowledge = ReceivedKnowledge(sizes)
        self.image = PictureTransformer(sizes, cin)
        self.map = SymbolsToMap(sizes, cin, classes)

    def understand(self, heard: Heard) -> Contexts:
        """What both decoders go by."""
        return self.knowledge(heard.planes, heard.variance.clamp(QUIET, LOUD).log10())
