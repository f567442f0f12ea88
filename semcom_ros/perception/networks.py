# SPDX-License-Identifier: Apache-2.0
"""The networks: the segmenter's, and that of classes, boxes and depth in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.layers.residual import ConvNorm, Residual

WIDTHS = (48, 96, 160, 192)
"""Channels at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
BLOCKS = (1, 2, 3, 2)
"""Residual blocks there."""
STEM = 32
"""Channels at 1/2."""
STRIDE = 4
"""Pixels a side of a cell of the detection grid."""
BRANCHES = (48, 32, 48)
"""Channels of the branches for heat, sides and depth."""
FINE = 48
"""Channels of the layers at half resolution that refine the labels."""
HINTS = 9
"""Channels that tell them, beside the coarse logits, what the features at 1/4 know."""
RARE = -4.6
"""Heat before training: the logit of 1 %, so that the many empty cells do not drown the rest."""
MIDDLE = 15.0
"""Metres that a depth output of 0 stands for."""


class PyramidNetwork(nn.Module):
    """A residual encoder to 1/32 of the resolution and a top-down decoder back to 1/4.

    Most of the work lies at 1/8 and below.
    """

    def __init__(self, widths: tuple[int, ...]):
        super().__init__()
        self.stem = ConvNorm(3, STEM, stride=2)
        inputs = (STEM, *widths[:-1])
        self.down = nn.ModuleList(
            ConvNorm(a, b, stride=2) for a, b in zip(inputs, widths, strict=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Residual(w) for _ in range(n)))
            for w, n in zip(widths, BLOCKS, strict=True)
        )
        self.context = nn.Conv2d(widths[-1], widths[-1], 1)
        self.lateral = nn.ModuleList(ConvNorm(w, w, kernel=1) for w in widths[:-1])
        self.up = nn.ModuleList(
            ConvNorm(b, a, kernel=1) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.merge = nn.ModuleList(ConvNorm(w, w) for w in widths[:-1])

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        """Image [B, 3, H, W] in 0..1 -> [B, STEM, H/2, W/2]."""
        return torch.relu(self.stem(x - 0.5))

    def encode(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What `begin` gives -> the encoder's outputs at 1/4, 1/8, 1/16 and 1/32."""
        pyramid = []
        for down, stage in zip(self.down, self.stages, strict=True):
            x = stage(torch.relu(down(x)))
            pyramid.append(x)
        return pyramid

    def merge_down(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """What `encode` gives, merged from coarse to fine: [B, widths[0], H/4, W/4]."""
        x = pyramid[-1]
        # The mean over the frame tells a street from a square; it costs next to nothing.
        x = x + torch.relu(self.context(x.mean((2, 3), keepdim=True)))
        for i in reversed(range(len(self.lateral))):
            x = F.interpolate(self.up[i](x), scale_factor=2, mode="nearest")
            x = torch.relu(self.merge[i](torch.relu(x + self.lateral[i](pyramid[i]))))
        return x


class SegmentationNetwork(PyramidNetwork):
    """Image [B, 3, H, W] in 0..1 -> class logits [B, classes, H/2, W/2]; H and W multiples of 32.

    5.5 GFLOP at 256x512 with the default widths.
    """

    def __init__(self, classes: int, widths: tuple[int, ...] = WIDTHS):
        super().__init__(widths)
        # Four sub-pixels a class: poles and signs are thinner than a cell of the 1/4 grid.
        self.head = nn.Conv2d(widths[0], 4 * classes, 1)

    def features(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The encoder's outputs at 1/4, 1/8, 1/16 and 1/32 of the resolution."""
        return self.encode(self.begin(x))

    def decode(self, pyramid: list[torch.Tensor]) -> torch.Tensor:
        """Logits from the pyramid that `features` gives."""
        return F.pixel_shuffle(self.head(self.merge_down(pyramid)), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.features(x))


class Outputs(NamedTuple):
    """What the network says of images [B, 3, H, W]; cells of `STRIDE` pixels, halves of 2.

    labels: logits [B, classes, H, W], or None where they were not asked for. heat: logits
    [B, detected classes, H/4, W/4] that an object's centre lies in a cell. sides: the natural
    logarithm [B, 4, H/4, W/4] of the distances in cells from a cell's centre to the left, top,
    right and bottom side of its object. depth: natural logarithm of metres over `MIDDLE`,
    [B, 1, H/2, W/2].
    """

    labels: torch.Tensor | None
    heat: torch.Tensor
    sides: torch.Tensor
    depth: torch.Tensor


class PerceptionNetwork(PyramidNetwork):
    """Image [B, 3, H, W] in 0..1, H and W multiples of 32 -> `Outputs`.

    The labels see the image itself again at the end: poles are a pixel wide, and the features at
    1/4 have lost them. The boxes follow TTFNet (Liu et al., "Training-Time-Friendly Network for
    Real-Time Object Detection", AAAI 2020): centres as in CenterNet, and every cell about a centre
    learns the box. The frame's rows and columns are inputs (CoordConv): the ground's depth hangs
    on the row. 10.0 GFLOP at 256x512 with the default widths.
    """

    def __init__(
        self,
        classes: int,
        detected: int,
        widths: Sequence[int] = WIDTHS,
        branches: Sequence[int] = BRANCHES,
        fine: int = FINE,
    ):
        super().__init__(tuple(widths))
        self.branches = list(branches)
        self.place = nn.Conv2d(2, widths[-1], 1, bias=False)
        self.classes = classes
        # Four sub-pixels a cell, here and below.
        self.head = nn.Conv2d(widths[0], 4 * (classes + HINTS), 1)
        self.fine = nn.ModuleList(
            [ConvNorm(12 + STEM + classes + HINTS, fine), ConvNorm(fine, fine)]
        )
        self.refine = nn.Conv2d(fine, 4 * classes, 1)
        # One wide convolution keeps a CPU busier than three narrow ones.
        self.branch = ConvNorm(widths[0], sum(branches))
        self.branch_place = nn.Conv2d(2, sum(branches), 1, bias=False)
        self.heat = nn.Conv2d(branches[0], detected, 1)
        self.sides = nn.Conv2d(branches[1], 4, 1)
        self.depth = nn.Conv2d(branches[2], 4, 1)
        nn.init.constant_(self.heat.get_parameter("bias"), RARE)
        nn.init.zeros_(self.refine.weight)

    def forward(self, x: torch.Tensor, label: bool = True) -> Outputs:
        """label: whether labels are wanted; they are a third of the work."""
        halves = self.begin(x)
        pyramid = self.encode(halves)
        pyramid[-1] = pyramid[-1] + self.place(_grid(pyramid[-1]))
        cells = self.merge_down(pyramid)
        branched = torch.relu(self.branch(cells) + self.branch_place(_grid(cells)))
        heat, sides, depth = branched.split(self.branches, 1)
        return Outputs(
            self._label(x, halves, cells) if label else None,
            self.heat(heat),
            self.sides(sides),
            F.pixel_shuffle(self.depth(depth), 2),
        )

    def _label(self, x: torch.Tensor, halves: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
        coarse = F.pixel_shuffle(self.head(cells), 2)
        # Logits are some ten times as large as what else goes in.
        fine = torch.cat([F.pixel_unshuffle(x - 0.5, 2), halves, 0.1 * coarse], 1)
        for layer in self.fine:
            fine = torch.relu(layer(fine))
        labels = self.refine(fine) + coarse[:, : self.classes].repeat_interleave(4, 1)
        return F.pixel_shuffle(labels, 2)


def _grid(like: torch.Tensor) -> torch.Tensor:
    """Rows and columns from -1 to 1, [1, 2, H, W] for features [B, C, H, W]."""
    rows, cols = (torch.linspace(-1, 1, n, device=like.device) for n in like.shape[2:])
    return torch.stack(torch.meshgrid(rows, cols, indexing="ij"))[None].to(like.dtype)
