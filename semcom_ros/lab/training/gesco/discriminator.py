# SPDX-License-Identifier: Apache-2.0
"""The patch discriminator that sharpens the generator in training; it never ships."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.lab.training.loop import MixedPrecision
from semcom_ros.layers.class_shares import SHARES_STRIDE

DISCRIMINATOR_RATE = 0.4
"""Of the generator's learning rate."""
Judged = tuple[torch.Tensor, torch.Tensor]
"""An image [B, 3, H, W] and class shares [B, classes, H/2, W/2], seen together."""


class Discriminator(nn.Module):
    """image [B, 3, H, W] and its class shares [B, classes, H/2, W/2] -> scores and features.

    Conditional PatchGAN (Isola et al. 2017): one score a patch at 1/8 of the resolution, and the
    activations in between for feature matching (Wang et al. 2018).
    """

    def __init__(self, classes: int, width: int = 48):
        super().__init__()
        sizes = (3 * SHARES_STRIDE**2 + classes, width, 2 * width, 2 * width)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 3, stride=s, padding=1))
            for a, b, s in zip(sizes[:-1], sizes[1:], (1, 2, 2), strict=True)
        )
        self.score = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, padding=1))

    def forward(
        self, image: torch.Tensor, class_shares: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        x = torch.cat((F.pixel_unshuffle(image - 0.5, SHARES_STRIDE), class_shares), 1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.score(x), features


def compete(
    discriminator: MixedPrecision, fake: Judged, real: Judged, rate: float
) -> tuple[torch.Tensor, float]:
    """Teach a `Discriminator` to tell `fake` from `real`; `rate` is the generator's.

    Returns the generator's loss, feature matching less the logits of `fake`, and its own.
    """
    network = discriminator.network
    # The discriminator learns first, so that it looks at what is true once a step.
    network.requires_grad_(True)
    doubted, _ = network(*(part.detach() for part in fake))
    trusted, wanted = network(*real)
    hinge = F.relu(1 + doubted.float()).mean() + F.relu(1 - trusted.float()).mean()
    hinge.backward()
    discriminator.step(DISCRIMINATOR_RATE * rate)
    network.requires_grad_(False)

    score, found = network(*fake)
    matching = sum(
        F.l1_loss(f.float(), w.detach().float()) for f, w in zip(found, wanted, strict=True)
    )
    return matching - score.float().mean(), hinge.item()
