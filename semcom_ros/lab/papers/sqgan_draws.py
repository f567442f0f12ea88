# SPDX-License-Identifier: Apache-2.0
"""What the networks of SQ-GAN's paper learn from and are chosen on: frames with maps, and how many
latent vectors to keep."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch

from semcom_ros.codecs.sqgan.paper.inference import normalised
from semcom_ros.codecs.sqgan.paper.networks import FORMS, MAP_PLANES
from semcom_ros.datasets import Source
from semcom_ros.frame import fit
from semcom_ros.lab.papers.draws import Draws
from semcom_ros.lab.training.data import augment, pixels_of
from semcom_ros.lab.training.sqgan.enhancement import Pasting, enhance
from semcom_ros.layers.image_input import to_input

ZOOM = (1.0, 2.0)
TURN = 5.0
"""Degrees by which a frame, and in the text's form a pasted object, is turned at most."""
PASTING = Pasting((("traffic light",), ("traffic sign",)), least=1, largest=True)
"""The class enhancement as published."""
MEAN = 0.35
"""Fraction of the latent vectors kept in training, on the average, as the text has it."""
LEAST = 0.05
SPREAD = 0.4
"""Deviation of the log of the fraction, in either form."""
FRACTIONS = (0.05, 0.2875, 0.525, 0.7625, 1.0)
LOG_MEAN = -0.95
"""The released code rounds its log-normal fractions to these: .42 on the average."""


class MaskedDraw(TypedDict):
    """A batch: image float32 [B, 3, H, W], normalised; planes one-hot float32 [B, MAP_PLANES, H,
    W]; labels int64 [B, H, W], their places; fraction and map_fraction of the latent vectors of
    image and map to keep, float32 [B]."""

    image: torch.Tensor
    planes: torch.Tensor
    labels: torch.Tensor
    fraction: torch.Tensor
    map_fraction: torch.Tensor


class MaskedDraws(Draws):
    """Frames augmented, objects pasted between those of a batch, in the `form` of the text or of
    the released code."""

    def __init__(
        self, source: Source, size: tuple[int, int], seed: int, batch: int, form: str = FORMS[0]
    ):
        super().__init__(source, size, seed, batch)
        self.form = form

    def __getitem__(self, index: int) -> MaskedDraw:
        rng = np.random.default_rng((self.seed, index))
        chosen = rng.integers(len(self.source), size=self.batch)
        drawn = (
            augment(pixels_of(self.frame(int(at))), rng, self.size, ZOOM, jitter=True, turn=TURN)
            for at in chosen
        )
        images, labels = map(np.stack, zip(*drawn, strict=True))
        turn = TURN if self.form == FORMS[0] else 0.0
        images, labels = enhance(images, labels, rng, PASTING._replace(turn=turn))
        return masked(images, labels, draw_fraction(rng, self.form), draw_fraction(rng, self.form))


class Unseen(Draws):
    """Frame by frame as it is, with the mean fraction kept of either pipeline."""

    def __init__(self, source: Source, size: tuple[int, int]):
        super().__init__(source, size, 0, 1)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> MaskedDraw:
        image, labels = pixels_of(fit(self.frame(index), self.size))
        return masked(image[np.newaxis], labels[np.newaxis], MEAN, MEAN)


def masked(
    images: np.ndarray, labels: np.ndarray, fraction: float, map_fraction: float
) -> MaskedDraw:
    """Of images uint8 [B, H, W, 3] and labels uint8 [B, H, W] trainId, 255 void."""
    places = torch.from_numpy(np.minimum(labels, MAP_PLANES - 1).astype(np.int64))
    planes = torch.nn.functional.one_hot(places, MAP_PLANES).permute(0, 3, 1, 2)
    return MaskedDraw(
        image=normalised(to_input(images, torch.float32)),
        planes=planes.float(),
        labels=places,
        fraction=torch.full((len(images),), fraction),
        map_fraction=torch.full((len(images),), map_fraction),
    )


def draw_fraction(rng: np.random.Generator, form: str) -> float:
    """Log-normal, of the mean that the text gives; or as the released code draws it."""
    if form == FORMS[0]:
        drawn = rng.lognormal(np.log(MEAN) - SPREAD**2 / 2, SPREAD)
        return float(np.clip(drawn, LEAST, 1))
    drawn = rng.lognormal(LOG_MEAN, SPREAD)
    return min(FRACTIONS, key=lambda fraction: abs(fraction - drawn))
