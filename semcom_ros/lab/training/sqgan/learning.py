# SPDX-License-Identifier: Apache-2.0
"""How a batch changes the narrow networks: losses of map and image, and the discriminator'."""

from __future__ import annotations

import torch

from semcom_ros.codecs.sqgan.pipeline import Pipeline, shares_of
from semcom_ros.lab.training.gesco.discriminator import Discriminator, Judged, compete
from semcom_ros.lab.training.loop import MixedPrecision
from semcom_ros.lab.training.sqgan.batches import Batch
from semcom_ros.lab.training.sqgan.perceptual import Perceptual
from semcom_ros.layers.vector_quantiser import as_float

PIXELS = 4.0
"""Weight of the absolute error beside the features'."""


class Learning:
    """A pipeline and its discriminator; a subclass says by `objective` what is learned."""

    def __init__(self, pipeline: Pipeline, discriminator: Discriminator):
        self.pipeline = pipeline
        self.trainer = MixedPrecision(pipeline, torch.bfloat16, decay=0.998, weight_decay=0.01)
        self.discriminator = MixedPrecision(
            discriminator, torch.bfloat16, decay=0.0, weight_decay=0.0
        )
        as_float(pipeline)
        pipeline.train()

    @property
    def average(self) -> Pipeline:
        """The pipeline with averaged weights."""
        return self.trainer.average

    def objective(self, batch: Batch) -> tuple[torch.Tensor, dict[str, float], Judged, Judged]:
        """The loss without the discriminator, its parts, and the pair to tell apart."""
        raise NotImplementedError

    def update(self, batch: Batch, rate: float, adversarial: float) -> dict[str, float]:
        """Learn from one batch; the discriminator takes part where `adversarial` is not 0."""
        loss, seen, fake, real = self.objective(batch)
        if adversarial:
            logits, seen["hinge"] = compete(self.discriminator, fake, real, rate)
            loss = loss + adversarial * logits
        loss.backward()
        self.trainer.step(rate)
        return seen


class MapLearning(Learning):
    """Class-weighted cross-entropy of the map; the discriminator compares it with the image."""

    def __init__(
        self, pipeline: Pipeline, discriminator: Discriminator, class_weights: torch.Tensor
    ):
        super().__init__(pipeline, discriminator)
        self.class_weights = class_weights.reshape(1, -1, 1, 1)

    def objective(self, batch: Batch) -> tuple[torch.Tensor, dict[str, float], Judged, Judged]:
        passed = self.pipeline((batch.sent,), shares_of(batch.sent), batch.fractions)
        logits = passed.output.float()
        weighted = self.class_weights * batch.sent.float()
        entropy = -(weighted * logits.log_softmax(1)).sum() / weighted.sum()
        loss = entropy + passed.commitment
        seen = {
            "entropy": entropy.item(),
            "commitment": passed.commitment.item(),
            "codewords": float(passed.indices.unique().numel()),
        }
        image = batch.image.bfloat16()
        return loss, seen, (image, logits.softmax(1).bfloat16()), (image, batch.sent)


class ImageLearning(Learning):
    """Class-weighted error and feature distance of the image, and a semantic-aware discriminator.

    aware: the residual of classes that are not worth bits is given back before it looks.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        discriminator: Discriminator,
        perceptual: Perceptual,
        aware: bool = True,
    ):
        super().__init__(pipeline, discriminator)
        self.perceptual, self.aware = perceptual, aware

    def objective(self, batch: Batch) -> tuple[torch.Tensor, dict[str, float], Judged, Judged]:
        shown = batch.image.to(torch.bfloat16, memory_format=torch.channels_last)
        passed = self.pipeline(
            (shown, batch.sent), shares_of(batch.sent), batch.fractions, (batch.received,)
        )
        image = passed.output.float()
        l1 = ((image - batch.image).abs() * batch.weight).mean()
        features = self.perceptual(image, batch.image)
        loss = PIXELS * l1 + features + passed.commitment
        seen = {
            "l1": l1.item(),
            "features": features.item(),
            "commitment": passed.commitment.item(),
            "spread": passed.scores.float().std().item(),
            "codewords": float(passed.indices.unique().numel()),
        }
        judged = give_back(image, batch.image, batch.given_back) if self.aware else image
        fake = (judged.bfloat16(), batch.received)
        return loss, seen, fake, (shown, batch.received)


def give_back(image: torch.Tensor, target: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """What a semantic-aware discriminator sees of an image [B, 3, H, W]: a share [B, 1, H, W] of
    its residual from the target is taken away."""
    return image + share * (target - image)
