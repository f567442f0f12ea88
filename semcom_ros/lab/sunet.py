# SPDX-License-Identifier: Apache-2.0
"""SUNet, a U-Net of Swin transformer blocks, as a denoiser of one-hot maps.

Fan, Liu, Liu, "SUNet: Swin transformer UNet for image denoising", ISCAS 2022, figures 2 and 4. What
SUNet did for images it does here for planes; GESCO's fast denoising is held against it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.swin import PatchMerging, SwinStage


def decision(decided: torch.Tensor, planes: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Logits [B, classes, H, W] of a denoiser's planes [B, classes + 1, H, W], -inf for classes
    that are absent.

    What was received at a pixel goes around the network, which says by its first plane how far to
    trust it there: a clean map then stays as it is.
    """
    logits = decided[:, 1:] + F.softplus(decided[:, :1]) * planes
    return logits.masked_fill(~present[..., None, None], -torch.inf)


class DualUpsample(nn.Module):
    """Twice or four times the grid by a pixel shuffle and by interpolation, mixed: the lattice that
    one leaves the other does not. [B, H, W, channels] -> [B, factor H, factor W, cout]; cout is
    half of the channels at twice, all of them at four times."""

    def __init__(self, channels: int, factor: int):
        super().__init__()
        cout = channels * factor // 4 if factor == 2 else channels

        def conv(a: int, b: int, bias: bool = False) -> nn.Conv2d:
            return nn.Conv2d(a, b, 1, bias=bias)

        self.shuffled = nn.Sequential(
            conv(channels, factor**2 * cout), nn.PReLU(), nn.PixelShuffle(factor), conv(cout, cout)
        )
        self.interpolated = nn.Sequential(
            conv(channels, channels, bias=True),
            nn.PReLU(),
            nn.Upsample(scale_factor=factor, mode="bilinear"),
            conv(channels, cout),
        )
        self.mix = conv(2 * cout, cout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(0, 3, 1, 2)
        both = torch.cat((self.shuffled(x), self.interpolated(x)), 1)
        return self.mix(both).permute(0, 2, 3, 1)


class Sunet(nn.Module):
    """[B, cin, H, W] -> [B, cout, H, W]; sides are multiples of patch * 2^(levels - 1).

    width: channels at full size and of the finest level, twice as many at each below. By default as
    published: 99.7 M parameters.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        width: int = 96,
        depths: Sequence[int] = (8, 8, 8, 8),
        heads: int = 8,
        window: int = 8,
        ratio: int = 4,
    ):
        super().__init__()
        widths = [width * 2**at for at in range(len(depths))]

        def stages() -> nn.ModuleList:
            return nn.ModuleList(
                SwinStage(w, heads, window, depth, ratio)
                for w, depth in zip(widths, depths, strict=True)
            )

        self.first = nn.Conv2d(cin, width, 3, padding=1)
        self.patches = nn.Conv2d(width, width, 4, 4)
        self.begun = nn.LayerNorm(width)
        self.down, self.up = stages(), stages()[:-1]
        self.merge = nn.ModuleList(PatchMerging(w, 2 * w) for w in widths[:-1])
        self.deepest, self.ended = nn.LayerNorm(widths[-1]), nn.LayerNorm(width)
        self.grow = nn.ModuleList(DualUpsample(w, 2) for w in widths[1:])
        self.join = nn.ModuleList(nn.Linear(2 * w, w) for w in widths[:-1])
        self.last_up = DualUpsample(width, 4)
        self.last = nn.Conv2d(width, cout, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.begun(self.patches(self.first(x)).permute(0, 2, 3, 1))
        skips = []
        for stage, merge in zip(self.down[:-1], self.merge, strict=True):
            skips.append(x)
            x = merge(stage(x))
        x = self.deepest(self.down[-1](x))
        for at in reversed(range(len(skips))):
            x = self.join[at](torch.cat((self.grow[at](x), skips[at]), -1))
            x = self.up[at](x)
        return self.last(self.last_up(self.ended(x)).permute(0, 3, 1, 2))


class MapSunet(nn.Module):
    """A narrow one from noisy planes to logits, about as dear as the small `DenoisingNetwork`."""

    stride = 32

    def __init__(self, classes: int):
        super().__init__()
        self.expect = nn.Conv2d(classes, classes, 1, bias=False)
        self.network = Sunet(classes, classes + 1, 22, (2, 2, 2, 2), heads=2, ratio=2)

    def forward(self, planes: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """As `DenoisingNetwork` has it; H and W are multiples of `stride`."""
        expected = self.expect(present[..., None, None].to(planes.dtype))
        return decision(self.network(planes + expected).float(), planes, present)
