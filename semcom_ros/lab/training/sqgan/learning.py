# SPDX-License-Identifier: Apache-2.0
"""How a batch changes the narrow networks: losses of map and image, and the discriminator's, with
the paper's weights of Cityscapes' classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from semcom_ros.codecs.sqgan.pipeline import Pipeline, shares_of
from semcom_ros.lab.training.adversarial import Adversarial, Discriminator, Judged, Seen
from semcom_ros.lab.training.perceptual import Perceptual
from semcom_ros.lab.training.sqgan.batches import MaskedBatch
from semcom_ros.labels import NAMES
from semcom_ros.layers.image_input import to_input
from semcom_ros.layers.vector_quantiser import as_float

PIXELS = 4.0
"""Weight of the absolute error beside the features'."""
MAP_OTHERS, IMAGE_OTHERS = 0.5, 0.15
MAP_WEIGHTS = {
    "traffic sign": 1.0, "traffic light": 1.0, "person": 0.85, "rider": 0.85,
    "sky": 0.2, "vegetation": 0.2,
}  # fmt: skip
"""Of the cross-entropy of the map; other classes weigh `MAP_OTHERS`."""
IMAGE_WEIGHTS = {
    "traffic sign": 1.0, "traffic light": 1.0, "person": 0.55, "rider": 0.55,
    "sky": 0.0, "vegetation": 0.0,
}  # fmt: skip
"""Of the absolute error of the image; other classes weigh `IMAGE_OTHERS`."""
FLOORS = ("published", "floored")
"""Whether sky and vegetation weigh 0, or as much as other classes: our segmenter's features, unlike
VGG's, do not hold the sky's colour."""
GIVEN_BACK = {"sky": 0.85, "vegetation": 0.85, "road": 0.425}
"""Of a regenerated class's residual, the share that is given back before the discriminator looks:
it shall not judge what is not worth bits. The released code uses vegetation twice and road never;
this is the reading that the paper intends."""


class PipelineLearning(Adversarial):
    """A pipeline; its codebook stays in float32."""

    def __init__(self, pipeline: Pipeline, discriminator: Discriminator, device: str = "cpu"):
        super().__init__(pipeline, discriminator, device)
        as_float(pipeline)

    def codewords(self, indices: torch.Tensor) -> torch.Tensor:
        """How many are used."""
        used = self.network.quantiser.uses.new_zeros(len(self.network.quantiser.uses))
        return used.index_fill(0, indices.flatten(), 1).sum()


class MapLearning(PipelineLearning):
    """Class-weighted cross-entropy of the map; the discriminator compares it with the image.

    class_weights: float32 [classes].
    """

    def __init__(
        self,
        pipeline: Pipeline,
        discriminator: Discriminator,
        class_weights: torch.Tensor,
        device: str = "cpu",
    ):
        super().__init__(pipeline, discriminator, device)
        self.class_weights = class_weights.reshape(1, -1, 1, 1).to(device)

    def objective(self, batch: MaskedBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        passed = self.network((batch.sent,), shares_of(batch.sent), batch.fractions)
        logits = passed.output.float()
        weighted = self.class_weights * batch.sent.float()
        entropy = -(weighted * logits.log_softmax(1)).sum() / weighted.sum()
        seen = {
            "entropy": entropy,
            "commitment": passed.commitment,
            "codewords": self.codewords(passed.indices),
        }
        image = to_input(batch.image, torch.bfloat16, self.device)
        fake = (image, logits.softmax(1).bfloat16())
        return entropy + passed.commitment, seen, fake, (image, batch.sent)


class ImageLearning(PipelineLearning):
    """Class-weighted error and feature distance of the image, and a semantic-aware discriminator.

    aware: the residual of classes that are not worth bits is given back before it looks. floor: of
    the weights, one of `FLOORS`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        discriminator: Discriminator,
        perceptual: Perceptual,
        aware: bool = True,
        floor: str = FLOORS[0],
        device: str = "cpu",
    ):
        super().__init__(pipeline, discriminator, device)
        self.perceptual, self.aware = perceptual, aware
        least = 0.0 if floor == FLOORS[0] else IMAGE_OTHERS
        weight = class_table(IMAGE_WEIGHTS, IMAGE_OTHERS).clip(least) / IMAGE_OTHERS
        self.weight = torch.from_numpy(weight).to(device)
        self.given_back = torch.from_numpy(class_table(GIVEN_BACK, 0.0)).to(device)

    def objective(self, batch: MaskedBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        true = to_input(batch.image, torch.float32, self.device)
        shown, labels = true.bfloat16(), batch.labels.long()
        passed = self.network(
            (shown, batch.sent), shares_of(batch.sent), batch.fractions, (batch.received,)
        )
        image = passed.output.float()
        l1 = ((image - true).abs() * self.weight[labels][:, None]).mean()
        features = self.perceptual(image, true)
        seen = {
            "l1": l1,
            "features": features,
            "commitment": passed.commitment,
            "spread": passed.scores.float().std(),
            "codewords": self.codewords(passed.indices),
        }
        judged = image
        if self.aware:
            judged = give_back(image, true, self.given_back[labels][:, None])
        loss = PIXELS * l1 + features + passed.commitment
        return loss, seen, (judged.bfloat16(), batch.received), (shown, batch.received)


def give_back(image: torch.Tensor, target: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """What a semantic-aware discriminator sees of an image [B, 3, H, W]: a share [B, 1, H, W] of
    its residual from the target is taken away."""
    return image + share * (target - image)


def class_table(weights: Mapping[str, float], others: float) -> np.ndarray:
    """Weight by trainId float32 [256]; `others` for classes not named, and void."""
    found = np.full(256, others, np.float32)
    for name, weight in weights.items():
        found[NAMES.index(name)] = weight
    return found
