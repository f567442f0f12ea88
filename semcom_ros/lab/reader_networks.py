# SPDX-License-Identifier: Apache-2.0
"""Networks that read pictures beside the judge's own: fully convolutional, and DeepLab.

Long, Shelhamer, Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015; Chen,
Papandreou, Schroff, Adam, "Rethinking atrous convolution for semantic image segmentation", arXiv
1706.05587. Both on a dilated ResNet-18 (He et al., CVPR 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros import weights
from semcom_ros.perception.networks import SegmentationNetwork
from semcom_ros.perception.segmentation import RECIPE, Segmenter
from semcom_ros.runtime import declare_operators

FOLDER = Path("out/readers")
"""Where `semcom train reader` writes: none of them ships."""
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


class Fcn(nn.Module):
    """Images [B, 3, H, W] in 0..1 -> logits [B, classes, H, W]."""

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.trunk = residual_trunk(channels)
        self.classify = nn.Conv2d(channels[-1], classes, 1)

    def features(self, images: torch.Tensor) -> list[torch.Tensor]:
        """What the trunk's stages give, at 1/4 and three times at 1/8."""
        return self.trunk.forward_intermediates(
            images - 0.5, indices=(1, 2, 3, 4), intermediates_only=True
        )

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Of the last stage's cells."""
        return self.classify(x)

    def decode(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """Logits at half resolution from what `features` gives."""
        logits = self.logits(pyramid[-1])
        return F.interpolate(logits, scale_factor=CELL // 2, mode="bilinear")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.logits(self.trunk(images - 0.5))
        return F.interpolate(logits, scale_factor=CELL, mode="bilinear")


class Deeplab(Fcn):
    """DeepLabv3: the atrous pyramid between trunk and classes."""

    def __init__(self, channels: Sequence[int], pyramid: int, classes: int) -> None:
        super().__init__((*channels[:-1], pyramid), classes)
        self.trunk = residual_trunk(channels)
        self.pyramid = AtrousPyramid(channels[-1], pyramid)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.classify(self.pyramid(x))


READERS: dict[str, Callable[[int], nn.Module]] = {
    "fcn": partial(Fcn, (40, 56, 88, 128)),
    "deeplab": partial(Deeplab, (40, 56, 80, 104), 64),
    "segmenter": SegmentationNetwork,
}
"""By name, of as many classes as asked for: each of 5.5 GFLOP at 256x512, as the judge's form has
by default."""


def load_reader(path: Path, device: str = "cpu") -> Segmenter:
    """The segmenter in `path`, whose card tells its form. Raises SemcomError as
    `Segmenter.from_pretrained`."""
    own = path.parent == FOLDER and path.stem in READERS
    made = f"semcom train reader --network {path.stem} --camvid DIR" if own else RECIPE
    tensors, card = weights.load(path, made)
    if str(card.get("network")) not in READERS:
        return Segmenter.from_pretrained(path, device)
    classes = weights.classes_of(card, path)
    network = READERS[card["network"]](len(classes))
    weights.fill(network, tensors, path)
    return Segmenter(network, classes, device)


def _normed(cin: int, cout: int, kernel: int, rate: int = 1) -> nn.Module:
    conv = nn.Conv2d(cin, cout, kernel, padding=rate * (kernel // 2), dilation=rate, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())
