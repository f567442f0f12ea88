# SPDX-License-Identifier: Apache-2.0
"""SDM's network, which is GESCO's, at a part of the resolution: what two cores can run.

Wang et al., "Semantic image synthesis via diffusion models", arXiv 2207.00050.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork


class NarrowSdm(PaperNetwork):
    """`PaperNetwork` on blocks of `shuffle` x `shuffle` pixels; same call. Of the map it hears the
    mean of each block."""

    def __init__(self, sizes: GescoPaperSizes, shuffle: int):
        super().__init__(sizes)
        self.shuffle = shuffle
        self.stem = nn.Conv2d(3 * shuffle**2, self.stem.out_channels, 3, padding=1)
        self.last = nn.Conv2d(self.last.in_channels, 6 * shuffle**2, 3, padding=1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, noisy: torch.Tensor, steps: torch.Tensor, planes: torch.Tensor
    ) -> torch.Tensor:
        blocks = F.pixel_unshuffle(noisy, self.shuffle)
        found = super().forward(blocks, steps, F.avg_pool2d(planes, self.shuffle))
        return F.pixel_shuffle(found, self.shuffle)
