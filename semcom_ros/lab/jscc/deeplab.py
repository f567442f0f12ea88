# SPDX-License-Identifier: Apache-2.0
"""Maps instead of images: Deeplab with a channel in its middle, and a reader of received pictures.

Chen, Papandreou, Schroff, Adam, "Rethinking atrous convolution for semantic image segmentation",
arXiv 1706.05587; Long, Shelhamer, Darrell, "Fully convolutional networks for semantic
segmentation", CVPR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.runtime import declare_operators

RESNET_18 = (64, 128, 256, 512)
CELL = 8
"""Pixels a side of a cell of the trunk: its last two stages widen their kernels instead."""
RATES = (6, 12, 18)


def residual_trunk(channels: Sequence[int] = RESNET_18) -> nn.Module:
    """timm's ResNet of two basic blocks a stage; images [B, 3, H, W] to [B, channels[-1], h, w]."""
    declare_operators()
    from timm.models.resnet import BasicBlock, ResNet

    trunk = ResNet(
        BasicBlock, (2, 2, 2, 2), num_classes=0, output_stride=CELL, global_pool="",
        channels=tuple(channels),
    )  # fmt: skip
    return trunk


class AtrousPyramid(nn.Module):
    """Kernels of one cell, of three at each of `RATES`, and the mean of all cells, joined:
    [B, cin, h, w] -> [B, cout, h, w]."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        wide = (_normed(cin, cout, 3, rate) for rate in RATES)
        self.branches = nn.ModuleList([_normed(cin, cout, 1), *wide])
        # A single value a channel cannot be normalised over a batch of one.
        self.mean = nn.Conv2d(cin, cout, 1)
        self.join = _normed(cout * (len(RATES) + 2), cout, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = torch.relu(self.mean(x.mean((2, 3), keepdim=True))).expand(-1, -1, *x.shape[2:])
        return self.join(torch.cat([*(branch(x) for branch in self.branches), mean], 1))


class DeeplabJscc(AnalogLink):
    """A dilated ResNet-18, planes at the channel, an atrous pyramid: a map without a picture.

    step: cells a side of the trunk's that one of the planes' takes.
    """

    reads = True

    def __init__(
        self, planes: int, channels: Sequence[int], pyramid: int, step: int, classes: int
    ) -> None:
        super().__init__(planes, CELL * step)
        self.trunk = residual_trunk(channels)
        self.squeeze = nn.Conv2d(channels[-1], planes, step, step)
        self.pyramid = AtrousPyramid(planes, pyramid)
        self.classify = nn.Conv2d(pyramid, classes, 1)

    def values(self, images: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        return self.squeeze(self.trunk(images - 0.5))

    def decode(self, planes: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        logits = self.classify(self.pyramid(planes))
        return F.interpolate(logits, scale_factor=self.stride, mode="bilinear")


class Fcn(nn.Module):
    """The fully convolutional reader: images [B, 3, H, W] in 0..1 -> logits [B, classes, H, W]."""

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.trunk = residual_trunk(channels)
        self.classify = nn.Conv2d(channels[-1], classes, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.classify(self.trunk(images - 0.5))
        return F.interpolate(logits, scale_factor=CELL, mode="bilinear")


def _normed(cin: int, cout: int, kernel: int, rate: int = 1) -> nn.Module:
    conv = nn.Conv2d(cin, cout, kernel, padding=rate * (kernel // 2), dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())
