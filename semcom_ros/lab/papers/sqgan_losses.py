# SPDX-License-Identifier: Apache-2.0
"""The losses of the paper: class-weighted errors, a patch discriminator and its adaptive weight."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.sqgan.paper.inference import pixels
from semcom_ros.codecs.sqgan.paper.networks import CLASS_PLANES, FORMS, MAP_PLANES
from semcom_ros.codecs.sqgan.pipeline import Passed
from semcom_ros.lab.papers.sqgan_draws import MaskedDraw
from semcom_ros.lab.training.perceptual import Perceptual
from semcom_ros.lab.training.sqgan import learning
from semcom_ros.lab.training.sqgan.learning import class_table, give_back

ADVERSARIAL = {"map": (0.75, 1.0), "image": (0.15, 0.2)}
"""Weight of the discriminator's logits, in units of the adaptive weight, and its most."""
COMMITMENT = {"map": 1.0, "image": 0.15}
PERCEPTUAL = 0.15
GIVEN_BACK = {
    "text": learning.GIVEN_BACK | {"vegetation": 0.8},
    "code": {"sky": 0.85, "vegetation": 1.275},
}
"""Of a class's residual, what the semantic-aware discriminator is spared. The text says 80 % of
vegetation; sky and, half, road are what the released code means, which takes vegetation twice."""


class PatchDiscriminator(nn.Sequential):
    """Unconditional PatchGAN (Isola et al. 2017): [B, cin, H, W] -> one score a patch, 1/8."""

    def __init__(self, cin: int, width: int = 64, layers: int = 3):
        blocks: list[nn.Module] = [nn.Conv2d(cin, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        channels = width
        for layer in range(1, layers + 1):
            wider = width * min(2**layer, 8)
            stride = 2 if layer < layers else 1
            blocks += [
                nn.Conv2d(channels, wider, 4, stride, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(0.2),
            ]
            channels = wider
        super().__init__(*blocks, nn.Conv2d(channels, 1, 4, 1, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.02)


def map_error(passed: Passed, draw: MaskedDraw) -> torch.Tensor:
    """Class-weighted cross-entropy of the map, scalar."""
    table = class_table(learning.MAP_WEIGHTS, learning.MAP_OTHERS)
    weights = torch.from_numpy(table[:MAP_PLANES]).to(passed.output.device)
    return F.cross_entropy(passed.output.float(), draw["labels"], weights)


def image_error(passed: Passed, draw: MaskedDraw, distance: Perceptual) -> torch.Tensor:
    """Class-weighted absolute error of the image and perceptual distance, scalar."""
    image = passed.output.float()
    weights = _by_class(draw, learning.IMAGE_WEIGHTS, learning.IMAGE_OTHERS)
    l1 = ((image - draw["image"]).abs() * weights).mean()
    return l1 + PERCEPTUAL * distance(pixels(image), pixels(draw["image"]))


def judged(
    passed: Passed, draw: MaskedDraw, step: str, form: str = FORMS[0]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the discriminator is to tell apart: what came out, and the truth.

    Of an image it does not see what is not worth bits: of sky, vegetation and, half, road the
    residual is given back first.
    """
    output = passed.output.float()
    if step == "map":
        return output, draw["planes"]
    share = _by_class(draw, GIVEN_BACK[form], 0.0)
    return give_back(output, draw["image"], share), draw["image"]


def adversarial_weight(
    error: torch.Tensor, logits: torch.Tensor, last: torch.Tensor, pipeline: str
) -> torch.Tensor:
    """Adaptive weight of the discriminator: as strong as the error in the gradient of the `last`
    weights, by a factor and bounded (Esser et al. 2021, equation 7)."""
    ours, theirs = (
        torch.autograd.grad(loss, last, retain_graph=True)[0].norm() for loss in (error, logits)
    )
    factor, most = ADVERSARIAL[pipeline]
    return (factor * (ours / (theirs + 1e-4)).clamp(max=1e4)).clamp(max=most).detach()


def hinge(doubted: torch.Tensor, trusted: torch.Tensor, form: str = FORMS[0]) -> torch.Tensor:
    """The discriminator's own loss, of its scores [B, 1, h, w] of patches; in the form of the text
    it gives a single number an image, here their mean."""
    if form == FORMS[0]:
        doubted, trusted = (scores.mean((1, 2, 3)) for scores in (doubted, trusted))
    return (F.relu(1 + doubted).mean() + F.relu(1 - trusted).mean()) / 2


def _by_class(draw: MaskedDraw, weights: dict[str, float], others: float) -> torch.Tensor:
    """The weight [B, 1, H, W] of the class at every pixel; of void, 0 as in the released code."""
    table = torch.from_numpy(class_table(weights, others)[:MAP_PLANES]).clone()
    table[CLASS_PLANES] = 0
    return table.to(draw["labels"].device)[draw["labels"]][:, None]
