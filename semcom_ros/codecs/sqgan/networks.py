# SPDX-License-Identifier: Apache-2.0
"""The narrow encoders and decoders of map and image, shaped for one pass on a CPU.

Most of the work lies at a quarter of the resolution and below, in dense 3x3 convolutions; where the
paper gives every normalisation its own network over the map, the map becomes one pyramid of
features a frame. Class shares is the share of every class in blocks of 2x2 pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.errors import given
from semcom_ros.layers.attention import SelfAttention
from semcom_ros.layers.residual import ConvNorm, Residual
from semcom_ros.layers.spade import climb, halving, pyramid, residuals, widening

HEAD = 32
"""Channels of one head of attention."""
PATCH = 4
"""Pixels, each way, that enter the image's encoder as channels."""


class ImageEncoder(nn.Module):
    """Image [B, 3, H, W] in 0..1 and class shares [B, classes, H/2, W/2] -> [B, width, H/16, W/16].

    widths, blocks: channels and residual blocks at 1/4, 1/8 and 1/16 of the resolution.
    """

    def __init__(
        self,
        classes: int,
        widths: tuple[int, ...] = (48, 80, 128),
        blocks: tuple[int, ...] = (1, 2, 2),
    ):
        super().__init__()
        # SemPE: where in the street a pixel stands, told by the map and added to the image.
        self.place = nn.Sequential(
            ConvNorm(classes, 24, stride=2), nn.ReLU(), nn.Conv2d(24, widths[0], 1)
        )
        self.look = ConvNorm(3 * PATCH**2, widths[0])
        self.stages = _stages(widths, blocks)
        self.attention = SelfAttention(widths[-1], widths[-1] // HEAD)

    def forward(self, image: torch.Tensor, class_shares: torch.Tensor) -> torch.Tensor:
        seen = self.look(F.pixel_unshuffle(image - 0.5, PATCH))
        return self.attention(self.stages(torch.relu(seen + self.place(class_shares))))


class MapEncoder(nn.Module):
    """Class shares [B, classes, H/2, W/2] -> [B, width, H/16, W/16]; widths at 1/4 to 1/16."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (32, 48, 64)):
        super().__init__()
        self.look = ConvNorm(classes, widths[0], stride=2)
        self.stages = _stages(widths, (0, 1, 1))
        self.attention = SelfAttention(widths[-1], widths[-1] // HEAD)

    def forward(self, class_shares: torch.Tensor) -> torch.Tensor:
        return self.attention(self.stages(torch.relu(self.look(class_shares))))


class MapDecoder(nn.Module):
    """Features [B, width, H/16, W/16] -> class logits [B, classes, H/2, W/2]."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (32, 48, 64)):
        super().__init__()
        fine, middle, coarse = widths
        self.start = Residual(coarse)
        self.to_middle = ConvNorm(coarse, middle)
        self.middle = Residual(middle)
        self.to_fine = ConvNorm(middle, fine)
        self.fine = Residual(fine)
        self.head = nn.Conv2d(fine, 4 * classes, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        x = self.start(features)
        x = self.middle(torch.relu(self.to_middle(_twice(x))))
        x = self.fine(torch.relu(self.to_fine(_twice(x))))
        return F.pixel_shuffle(self.head(x), 2)


class ImageDecoder(nn.Module):
    """Features [B, width, H/16, W/16] and class shares [B, classes, H/2, W/2] of the map ->
    image [B, 3, H, W] in about 0..1.

    half: channels at 1/2 of the resolution; conditions, widths, blocks: channels of the map's
    features and of the image's, and residual blocks, at 1/4, 1/8 and 1/16.
    """

    def __init__(
        self,
        classes: int,
        half: int = 24,
        conditions: tuple[int, ...] = (40, 64, 96),
        widths: tuple[int, ...] = (48, 80, 128),
        blocks: tuple[int, ...] = (1, 2, 1),
    ):
        super().__init__()
        self.embed = nn.Conv2d(classes, half, 1)
        self.shrink = halving((half, *conditions))
        self.blocks = residuals(widths, conditions, blocks)
        self.widen = widening((half, *widths))
        self.coarse = nn.Conv2d(widths[-1], 3, 1)
        self.at_half = ConvNorm(half, half)
        self.to_image = nn.Conv2d(half, 12, 3, padding=1)
        # Training begins with a grey picture, not with a gaudy one.
        for layer in (self.coarse, self.to_image):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(given(layer.bias))

    def forward(self, features: torch.Tensor, class_shares: torch.Tensor) -> torch.Tensor:
        embedded = self.embed(class_shares)
        picture = self.coarse(features)
        x = climb(features, self.blocks, self.widen, pyramid(embedded, self.shrink))
        # Bilinear steps up to 1/2, then a shuffle by two: one by four leaves a grid on flat
        # surfaces.
        x = torch.relu(self.at_half(x + embedded))
        size = [16 * side for side in picture.shape[-2:]]
        base = F.interpolate(picture, size=size, mode="bilinear")
        return F.pixel_shuffle(self.to_image(x), 2) + base + 0.5


def _stages(widths: tuple[int, ...], blocks: tuple[int, ...]) -> nn.Sequential:
    """Residual blocks at each width, a convolution of stride 2 between."""
    layers: list[nn.Module] = []
    for at, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if at:
            layers += [ConvNorm(widths[at - 1], width, stride=2), nn.ReLU()]
        layers += [Residual(width) for _ in range(count)]
    return nn.Sequential(*layers)


def _twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")
