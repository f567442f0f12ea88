# SPDX-License-Identifier: Apache-2.0
"""Generators that a patch discriminator sharpens in training; it never ships."""

from __future__ import annotations

import argparse
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.mixed_precision import MixedPrecision
from semcom_ros.layers.class_shares import SHARES_STRIDE

DISCRIMINATOR_RATE = 0.4
"""Of the generator's learning rate."""
Seen = dict[str, torch.Tensor]
"""Losses by name."""
Judged = tuple[torch.Tensor, torch.Tensor]
"""An image [B, 3, H, W] and class shares [B, classes, H/2, W/2], seen together."""


class Discriminator(nn.Module):
    """image [B, 3, H, W] and its class shares [B, classes, H/2, W/2] -> logits and features.

    Conditional PatchGAN (Isola et al. 2017): one logit a patch at 1/8 of the resolution, and the
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


class Adversarial:
    """A generator and its discriminator; a subclass says by `objective` what is learned."""

    def __init__(self, network: nn.Module, discriminator: Discriminator, device: str = "cpu"):
        self.network, self.device = network, torch.device(device)
        self.trainers = {
            "network": MixedPrecision(network, self.device, decay=0.998, weight_decay=0.01),
            "discriminator": MixedPrecision(discriminator, self.device, 0.0, 0.0),
        }

    def objective(self, batch: Any) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        """The loss without the discriminator, its parts, and the pair to tell apart."""
        raise NotImplementedError

    def update(self, batch: Any, rate: float, adversarial: float) -> Seen:
        """Learn from one batch; the discriminator takes part where `adversarial` is not 0."""
        loss, seen, fake, real = self.objective(batch)
        if adversarial:
            logits, seen["hinge"] = self.compete(fake, real, rate)
            loss = loss + adversarial * logits
        loss.backward()
        self.trainers["network"].step(rate)
        return seen

    def compete(self, fake: Judged, real: Judged, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Teach the discriminator to tell `fake` from `real`; `rate` is the generator's.

        Returns the generator's loss, feature matching less the logits of `fake`, and its own.
        """
        trainer = self.trainers["discriminator"]
        network = trainer.network
        # The discriminator learns first, so that it looks at what is true once a step.
        network.requires_grad_(True)
        doubted, _ = network(*(part.detach() for part in fake))
        trusted, wanted = network(*real)
        hinge = F.relu(1 + doubted.float()).mean() + F.relu(1 - trusted.float()).mean()
        hinge.backward()
        trainer.step(DISCRIMINATOR_RATE * rate)
        network.requires_grad_(False)

        logits, found = network(*fake)
        matching = sum(
            F.l1_loss(f.float(), w.detach().float()) for f, w in zip(found, wanted, strict=True)
        )
        return matching - logits.float().mean(), hinge


class AdversarialTraining(Training):
    """The recipe of such a pair. Before it is sharpened a network may please the judge more and a
    person less: only then does it compete."""

    learning: Adversarial
    sharpened_from: ClassVar[float]
    weight: ClassVar[float] = 0.1

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        share = "share of the steps before the discriminator takes part"
        parser.add_argument(
            "--adversarial-from", type=float, default=cls.sharpened_from, help=share
        )
        weight = "weight of the discriminator's loss"
        parser.add_argument("--adversarial", type=float, default=cls.weight, help=weight)

    def compete_with(self, learning: Adversarial) -> None:
        """Train by `learning`."""
        self.learning, self.trainers = learning, learning.trainers
        self.compete_from = self.args.adversarial_from

    def update(self, batch: Any, step: int) -> Seen:
        adversarial = self.args.adversarial if self.competes(step) else 0.0
        return self.learning.update(batch, self.rate_at(step), adversarial)
