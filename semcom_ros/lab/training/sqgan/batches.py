# SPDX-License-Identifier: Apache-2.0
"""Batches of training: frames with what is sent and what is received of their maps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from semcom_ros.codecs.sqgan.inference import MapReceiver, MapTransmitter
from semcom_ros.codecs.sqgan.masking import keep
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training.sqgan import emphasis
from semcom_ros.lab.training.sqgan.enhancement import enhance
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_input

CELL = 32
"""Pixels to which crops are aligned and sized: two cells of the latent grid."""
GRIDS_SEEN = tuple(g for g in GRIDS if g[0] >= 24)
NOTHING_KEPT = 0.05
"""Share of the samples of which no latent vector arrives."""
FRACTION = (-1.1, 0.7)
"""Mean and deviation of the log of the fraction kept. The paper's -0.95 and 0.4 hardly meet the
few vectors that the smallest payloads hold."""


@dataclass(frozen=True)
class Batch:
    """image [B, 3, H, W] in 0..1; sent and received: shares [B, classes, H/2, W/2] of the map;
    weight and given_back [B, 1, H, W]: of the class at a pixel, in the image's error and before
    the discriminator looks; fractions [B] of latent vectors kept."""

    image: torch.Tensor
    sent: torch.Tensor
    received: torch.Tensor
    weight: torch.Tensor
    given_back: torch.Tensor
    fractions: torch.Tensor


def draw_fractions(rng: np.random.Generator, count: int) -> np.ndarray:
    """Fractions float32 [count] of the latent vectors to keep, log-normal, at most 1."""
    drawn = np.exp(rng.normal(*FRACTION, count)).clip(0.02, 1)
    return np.where(rng.random(count) < NOTHING_KEPT, 0, drawn).astype(np.float32)


class MapLink:
    """What arrives of label maps: coded on a random grid, or as tokens of a trained map pipeline
    for a share of them."""

    def __init__(self, ends: tuple[MapTransmitter, MapReceiver] | None, share: float):
        self.ends, self.share = ends, share if ends else 0.0

    def __call__(self, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Received labels uint8 [H, W] of labels at the size of work."""
        if rng.random() >= self.share:
            grid = GRIDS_SEEN[rng.integers(len(GRIDS_SEEN))]
            return upsample(pool(labels, grid), WORK_SIZE)[0]
        transmitter, receiver = self.ends
        (indices,), (scores,) = transmitter([labels])
        fraction = torch.from_numpy(draw_fractions(rng, 1)).clamp(min=0.05)
        kept = keep(torch.from_numpy(scores)[None, None], fraction)[0, 0].numpy()
        return receiver([indices], [kept])[0][0]


class Maker:
    """Frames and labels at the size of work to batches of crops.

    link: how maps arrive, or none where they arrive as they are. enhanced: with objects of one
    another pasted.
    """

    def __init__(
        self,
        classes: tuple[int, ...],
        crop: tuple[int, int],
        seed: int,
        enhanced: bool,
        link: MapLink | None = None,
    ):
        self.class_shares = ClassShares(classes)
        self.crop, self.enhanced, self.link = crop, enhanced, link
        self.rng = np.random.default_rng(seed)
        # No weight of 0: our segmenter's features, unlike VGG's, do not hold the sky's colour.
        least = emphasis.IMAGE_OTHERS
        self.weight = emphasis.table(emphasis.IMAGE, least).clip(least) / least
        self.given_back = emphasis.table(emphasis.GIVEN_BACK, 0.0)

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> Batch:
        """One batch of images uint8 [B, H, W, 3] and labels uint8 [B, H, W]."""
        if self.enhanced:
            images, labels = enhance(images, labels, self.rng)
        tops, lefts = (
            CELL * self.rng.integers(0, (whole - part) // CELL + 1, len(images))
            for whole, part in zip(WORK_SIZE, self.crop, strict=True)
        )

        def cropped(pixels: Iterable[np.ndarray]) -> np.ndarray:
            height, width = self.crop
            corners = zip(pixels, tops, lefts, strict=True)
            return np.stack(
                [p[top : top + height, left : left + width] for p, top, left in corners]
            )

        received = labels if self.link is None else [self.link(m, self.rng) for m in labels]
        true = cropped(labels)
        sent = self._class_shares(true)
        return Batch(
            to_input(cropped(images), torch.float32),
            sent,
            sent if self.link is None else self._class_shares(cropped(received)),
            torch.from_numpy(self.weight[true])[:, None],
            torch.from_numpy(self.given_back[true])[:, None],
            torch.from_numpy(draw_fractions(self.rng, len(images))),
        )

    def _class_shares(self, labels: np.ndarray) -> torch.Tensor:
        shares = torch.from_numpy(np.stack([self.class_shares.of_labels(m) for m in labels]))
        return shares.to(torch.bfloat16, memory_format=torch.channels_last)
