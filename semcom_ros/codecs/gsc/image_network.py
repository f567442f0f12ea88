# SPDX-License-Identifier: Apache-2.0
"""The picture's decoder: a diffusion transformer over what arrived, then what makes pixels of it.

In one pass the received symbols are the noised latent and the link's SNR is its level. Further
passes (`refine`) hear, beside them, a small noised version of the picture before.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.linear_path import LinearPicture
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.errors import given
from semcom_ros.layers.dit import DiffusionTransformer, LastLayer, LevelEmbedding, grid_positions
from semcom_ros.layers.residual import PlainResidual

PATCH = 2
"""Places of the grid of symbols to a token, each way."""
NOISED = 4
"""Pixels of the small noised picture to a token, each way."""
LEVELS_DB = {1: (), 2: (0.0,), 4: (-10.0, 0.0, 10.0)}
"""By passes, the SNR in dB of the noised picture in each but the first."""
LAST = -3
"""Where the layers at half of the full resolution begin in a head of several."""
Predict = Callable[[torch.Tensor | None, torch.Tensor | None], torch.Tensor]
"""A noised small picture and its SNR in dB [B], or none of both -> images [B, 3, H, W]."""


class ImageTrunk(nn.Module):
    """Context [B, cin, h, w] -> features [B, head[0], h, w], sides even.

    told: [B, 4]: SNR of the link and planes kept, whether picture and map are asked for.
    """

    def __init__(self, sizes: GscSizes, cin: int):
        super().__init__()
        width, self.out = sizes.width, sizes.features
        self.tokens = nn.Conv2d(cin, width, PATCH, PATCH)
        self.noised = nn.Conv2d(3 * NOISED**2, width, 1)
        self.level, self.snr = LevelEmbedding(width), LevelEmbedding(width)
        self.task, self.kept = nn.Linear(2, width), nn.Embedding(sizes.planes + 1, width)
        layers = 0 if "transformer" in sizes.without else sizes.layers
        self.blocks = DiffusionTransformer(
            width, layers, sizes.transformer_heads, sizes.shared, sizes.repeats
        )
        self.last = LastLayer(width, PATCH**2 * self.out)
        self.skip = nn.Conv2d(cin, self.out, 3, padding=1)

    def forward(
        self,
        context: torch.Tensor,
        told: torch.Tensor,
        noised: torch.Tensor | None = None,
        level_db: torch.Tensor | None = None,
    ) -> torch.Tensor:
        x = self.tokens(context)
        if noised is not None:
            x = x + self.noised(F.pixel_unshuffle(noised.to(x.dtype), NOISED))
        height, width = x.shape[-2:]
        positions = grid_positions(height, width, x.shape[1], x.device).to(x.dtype)
        level = told[:, 0] if level_db is None else level_db
        condition = self.level(level) + self.snr(told[:, 0]) + self.kept(told[:, 1].long())
        condition = condition + self.task(told[:, 2:].to(x.dtype))
        tokens = self.blocks(x.flatten(2).transpose(1, 2) + positions, condition)
        made = self.last(tokens, condition).transpose(1, 2).unflatten(2, (height, width))
        return F.pixel_shuffle(made, PATCH) + self.skip(context)


class ImageHead(nn.Module):
    """Features [B, channels, h, w] -> a picture's [B, 3, H, W], beside what is coarse of it.

    base: [B, 3, H, W], the picture that the linear path makes, where there is one.
    """

    def __init__(self, sizes: GscSizes):
        super().__init__()
        layers: list[nn.Module] = []
        if len(sizes.head) == 1:
            channels = sizes.head[0]
            layers = [nn.Conv2d(sizes.features, channels * sizes.stride**2, 1)]
            layers += [nn.PixelShuffle(sizes.stride), PlainResidual(channels)]
            layers += [nn.Conv2d(channels, 3, 3, padding=1)]
        else:
            larger = nn.Upsample(scale_factor=2, mode="bilinear")
            for cin, cout in zip(sizes.head, sizes.head[1:], strict=False):
                layers += [PlainResidual(cin), nn.Conv2d(cin, cout, 1), larger, nn.ReLU()]
            layers += [PlainResidual(cout), nn.Conv2d(cout, 12, 3, padding=1), nn.PixelShuffle(2)]
        self.layers = nn.Sequential(*layers)
        self.seen = nn.Conv2d(12, cout, 3, padding=1) if sizes.linear else None

    def forward(self, features: torch.Tensor, base: torch.Tensor | None = None) -> torch.Tensor:
        if base is None or self.seen is None:
            return self.layers(features)
        x = self.layers[:LAST](features)
        return self.layers[LAST:](x + self.seen(F.pixel_unshuffle(base.to(x.dtype), 2)))


class PictureTransformer(nn.Module):
    """Context [B, cin, h, w] -> pictures float32 [B, 3, H, W], about 0..1."""

    def __init__(self, sizes: GscSizes, cin: int):
        super().__init__()
        self.trunk = ImageTrunk(sizes, cin)
        self.head, self.arrived = ImageHead(sizes), 2 * sizes.planes + 1
        self.linear = LinearPicture(sizes) if sizes.linear else None
        if self.linear is None:
            self.coarse = nn.Conv2d(cin, 3, 1)
            nn.init.constant_(given(self.coarse.bias), 0.4)  # grey, not black

    def forward(
        self,
        context: torch.Tensor,
        told: torch.Tensor,
        noised: torch.Tensor | None = None,
        level_db: torch.Tensor | None = None,
        head: nn.Module | None = None,
    ) -> torch.Tensor:
        """told, and the noised picture [B, 3, 2h, 2w] with its SNR [B], as `ImageTrunk` has them.
        head: in place of its own."""
        features, head = self.trunk(context, told, noised, level_db), head or self.head
        if self.linear is None:
            fine, coarse = head(features).float(), self.coarse(context).float()
            return fine + F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
        # The context ends with the planes and their noise.
        base = self.linear(*context[:, -self.arrived :].split((self.arrived - 1, 1), 1), told)
        return head(features, base).float() + base


def noise_picture(small: torch.Tensor, noise: torch.Tensor, level_db: torch.Tensor) -> torch.Tensor:
    """A picture in 0..1 and noise of unit power, mixed to `level_db` [B] of SNR at unit power."""
    share = signal_share(level_db)[:, None, None, None]
    return share.sqrt() * (2 * small - 1) + (1 - share).sqrt() * noise


def signal_share(level_db: torch.Tensor) -> torch.Tensor:
    """Of the power of signal and noise, that of the signal."""
    return torch.sigmoid(level_db * (math.log(10) / 10))


def refine(
    predict: Predict, small: tuple[int, int], steps: int, noise: torch.Tensor
) -> torch.Tensor:
    """Pictures [B, 3, H, W] in `steps` passes, the last of which gives them (DDIM, eta 0, of
    predictions of the picture).

    Pure noise would tell nothing: the first pass hears none. small: size of the noised pictures.
    noise: [B, 3, *small], of unit power. Source: Song et al., DDIM, ICLR 2021.
    """
    image = predict(None, None)
    for level in LEVELS_DB[steps]:
        known = F.adaptive_avg_pool2d(image.clamp(0, 1), small)
        levels = torch.full((len(image),), level, device=image.device)
        noised = noise_picture(known, noise, levels)
        image = predict(noised, levels)
        # The noise of the next level is what was not the picture at this one.
        share = signal_share(levels[0])
        now = F.adaptive_avg_pool2d(image.clamp(0, 1), small)
        noise = (noised - share.sqrt() * (2 * now - 1)) / (1 - share).sqrt()
    return image
