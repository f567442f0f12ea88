# SPDX-License-Identifier: Apache-2.0
"""What each generator learns from a batch: alike as far as their papers leave it.

Clean images by L1 and features, sharpened by a patch discriminator, as GESCO's diffusion; but OASIS
has its own discriminator, SMIS an autoencoder's divergence, and SDM its own loss alone.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gesco.paper.sampling import STEPS, scheduler
from semcom_ros.lab.papers.generators import oasis
from semcom_ros.lab.papers.gesco_loss import BOUND_WEIGHT, hybrid_loss
from semcom_ros.lab.training.adversarial import DISCRIMINATOR_RATE, Discriminator, Judged, Seen
from semcom_ros.lab.training.gesco.received import ReceivedBatch
from semcom_ros.lab.training.gesco.training import DiffusionLearning
from semcom_ros.layers.class_shares import SHARES_STRIDE
from semcom_ros.layers.image_input import to_input

DIVERGENCE = 0.05
"""Weight of SMIS's, as in its released code."""
_NARROW = {"widths": (16, 16, 32, 32, 48, 48), "last": 16}


class OnePassLearning(DiffusionLearning):
    """Of what paints a map in one pass."""

    def painted(self, true: torch.Tensor, batch: ReceivedBatch) -> torch.Tensor:
        planes = batch.class_shares
        noise = torch.randn(len(planes), *self.network.noise_size(planes)).to(planes)
        return self.network(planes, noise).float()

    def compete(self, fake: Judged, real: Judged, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """It sees the map at half of the resolution."""
        size = [side // SHARES_STRIDE for side in fake[0].shape[2:]]
        fake, real = ((image, F.adaptive_avg_pool2d(s, size)) for image, s in (fake, real))
        return super().compete(fake, real, rate)


class SmisLearning(OnePassLearning):
    """Learns from latents of the true image, near those that it will be given."""

    def painted(self, true: torch.Tensor, batch: ReceivedBatch) -> torch.Tensor:
        image, self.apart = self.network.autoencode(true.bfloat16(), batch.class_shares)
        return image.float()

    def objective(self, batch: ReceivedBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        loss, seen, fake, real = super().objective(batch)
        seen["divergence"] = self.apart
        return loss + DIVERGENCE * self.apart, seen, fake, real


class OasisLearning(OnePassLearning):
    """The discriminator names classes; `places` are those of the map, void where it has none."""

    def compete(self, fake: Judged, real: Judged, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        trainer = self.trainers["discriminator"]
        network = trainer.network
        painted, true, labels = fake[0], real[0], places(*real)
        network.requires_grad_(True)
        own = oasis.believed(network(true), labels) + oasis.doubted(network(painted.detach()))
        own = own + oasis.LABEL_MIX * oasis.label_mix(network, true, painted.detach(), labels)
        own.backward()
        trainer.step(DISCRIMINATOR_RATE * rate)
        network.requires_grad_(False)
        return oasis.believed(network(painted), labels), own


class SdmLearning(DiffusionLearning):
    """SDM's loss is that of GESCO's paper; no discriminator sees it."""

    def objective(self, batch: ReceivedBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        true = 2 * to_input(batch.image, torch.float32, self.device) - 1
        schedule = scheduler()
        steps = torch.randint(STEPS, (len(true),), device=self.device)
        noise = torch.randn_like(true)
        noisy = schedule.add_noise(true, noise, steps)
        planes = F.interpolate(batch.class_shares, true.shape[-2:])
        output = self.network(noisy.bfloat16(), steps, planes)
        error, bound = hybrid_loss(
            output, true, noise, noisy, steps, schedule.alphas_cumprod.to(self.device)
        )
        judged = (true, batch.class_shares)
        seen = {"error": error.mean(), "bound": bound.mean()}
        return (error + BOUND_WEIGHT * bound).mean(), seen, judged, judged

    def update(self, batch: ReceivedBatch, rate: float, adversarial: float) -> Seen:
        return super().update(batch, rate, 0.0)


LEARNING = {"oasis": OasisLearning, "smis": SmisLearning, "sdm": SdmLearning} | dict.fromkeys(
    ("control", "gesco"), DiffusionLearning
)
"""By network; the others learn as `OnePassLearning`."""


def places(image: torch.Tensor, class_shares: torch.Tensor) -> torch.Tensor:
    """The plane of the greatest share at every pixel of the image, int64 [B, H, W]; 255 where there
    is none."""
    found = torch.where(class_shares.sum(1) > 0, class_shares.argmax(1), oasis.VOID)
    return F.interpolate(found[:, None].float(), image.shape[-2:]).squeeze(1).long()


def discriminator(name: str, planes: int, full: bool) -> nn.Module:
    """That of the network `name`."""
    if name != "oasis":
        return Discriminator(planes)
    return oasis.ClassDiscriminator(planes, **({} if full else _NARROW))
