# SPDX-License-Identifier: Apache-2.0
"""OASIS's discriminator: it names the class of every pixel, and has one class more, not true.

Sushko et al., "You only need adversarial supervision for semantic image synthesis", ICLR 2021,
equations 1 to 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.lab.papers.generators.spade import leaky

LABEL_MIX = 5.0
"""Weight of equation 4 for Cityscapes, in the released code."""
VOID = 255


def _conv(cin: int, cout: int, kernel: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(cin, cout, kernel, padding=kernel // 2))


class _Block(nn.Module):
    """Residual, at twice the size or, without `doubles`, at half of it; `first`: sees the image."""

    def __init__(self, cin: int, cout: int, doubles: bool, first: bool = False):
        super().__init__()
        self.doubles, self.begins = doubles, first
        self.first, self.second = _conv(cin, cout, 3), _conv(cout, cout, 3)
        self.skip = nn.Identity() if cin == cout else _conv(cin, cout, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = x if self.begins else leaky(x)
        if self.doubles:
            inner, x = (F.interpolate(t, scale_factor=2) for t in (inner, x))
            return self.skip(x) + self.second(leaky(self.first(inner)))
        return F.avg_pool2d(self.skip(x) + self.second(leaky(self.first(inner))), 2)


class ClassDiscriminator(nn.Module):
    """Images [B, 3, H, W] in 0..1 -> logits [B, classes + 1, H, W], the first of what is not true.

    widths: channels at each halving; last: before the logits. H and W are multiples of
    2^len(widths).
    """

    def __init__(
        self,
        classes: int,
        widths: Sequence[int] = (128, 128, 256, 256, 512, 512),
        last: int = 64,
    ):
        super().__init__()
        steps = list(pairwise((3, *widths)))
        self.down = nn.ModuleList(
            _Block(a, b, False, first=not at) for at, (a, b) in enumerate(steps)
        )
        ups = [last, *widths[:-1]][::-1]
        inputs = [widths[-1], *(2 * width for width in reversed(widths[:-1]))]
        self.up = nn.ModuleList(_Block(a, b, True) for a, b in zip(inputs, ups, strict=True))
        self.last = nn.Conv2d(last, classes + 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        skips, x = [], 2 * images - 1
        for block in self.down:
            x = block(x)
            skips.append(x)
        x = self.up[0](skips.pop())
        for block in list(self.up)[1:]:
            x = block(torch.cat((skips.pop(), x), 1))
        return self.last(x)


def believed(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the true classes, balanced by how rare they are in the batch (equation 1):
    of true images for the discriminator, of painted ones for the generator.

    labels: int64 [B, H, W], 255 void, which does not count.
    """
    classes = logits.shape[1] - 1
    counts = torch.bincount(labels[labels != VOID], minlength=classes).float()
    weights = torch.where(counts > 0, counts.sum() / counts.clamp(min=1), 0.0)
    weights = F.pad(weights / (counts > 0).sum().clamp(min=1), (1, 0))
    places = torch.where(labels == VOID, VOID, labels + 1)
    loss = F.cross_entropy(logits.float(), places, weights, ignore_index=VOID, reduction="none")
    return loss.mean()


def doubted(logits: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of "not true" at every pixel."""
    nowhere = logits.new_zeros((len(logits), *logits.shape[2:]), dtype=torch.long)
    return F.cross_entropy(logits.float(), nowhere)


def label_mix(
    network: nn.Module, real: torch.Tensor, fake: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """How far a picture of true and painted classes is from being read as the two are (equation
    4): its borders are those of the map, and no sign of what is painted."""
    true = torch.rand(257, device=labels.device)[labels.clamp(max=256)][:, None] < 0.5
    mixed = network(torch.where(true, real, fake))
    apart = torch.where(true, network(real), network(fake)) - mixed
    return apart.float().square().mean()
