# SPDX-License-Identifier: Apache-2.0
"""What the narrow networks learn from and are chosen on: real and rendered streets, with what is
sent and what is received of their maps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from semcom_ros.codecs.sqgan.inference import MapReceiver, MapTransmitter
from semcom_ros.codecs.sqgan.masking import keep
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.sqgan.enhancement import enhance
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.perception.segmentation import Segmenter

CELL = 32
"""Pixels to which crops are aligned and sized: two cells of the latent grid."""
GRIDS_SEEN = tuple(g for g in GRIDS if g[0] >= 24)
"""On which maps are coded."""
NOTHING_KEPT = 0.05
"""Share of the samples of which no latent vector arrives."""
FRACTION = (-1.1, 0.7)
"""Mean and deviation of the log of the fraction kept. The paper's -0.95 and 0.4 hardly meet the
few vectors that the smallest payloads hold."""

FILES = {"map": "map.safetensors", "image": "image.safetensors", "tune": "tuned.safetensors"}
"""The weights that each stage hands on, in the folder `--work`."""
RECIPE = "semcom train sqgan --camvid DIR"
REAL = 0.75
"""Share of the samples that are CamVid's."""
TOWNS = range(100, 120)
EVERY = 12
"""Of CamVid train one frame in so many is held out."""
UNSEEN_TOWNS = range(220, 224)
"""No network of SQ-GAN and no segmenter is trained on them."""
UNSEEN_SCENES = 8
HELD_OUT = (
    f"every {EVERY}th frame of CamVid train and {UNSEEN_SCENES} frames of other towns of the "
    "procedural drive, held out of the training of these networks"
)
"""In words, for cards."""


class MaskedBatch(NamedTuple):
    """image: uint8 [B, H, W, 3]. labels: uint8 [B, H, W]. sent and received: bfloat16 shares
    [B, classes, H/2, W/2] of the map. fractions: float32 [B] of latent vectors kept."""

    image: torch.Tensor
    labels: torch.Tensor
    sent: torch.Tensor
    received: torch.Tensor
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


class Transmission:
    """Frames and labels at the size of work to batches of crops.

    link: how maps arrive, or none where they arrive as they are. enhanced: with objects of one
    another pasted.
    """

    def __init__(
        self,
        classes: tuple[int, ...],
        crop: tuple[int, int],
        enhanced: bool,
        link: MapLink | None = None,
    ):
        self.class_shares = ClassShares(classes)
        self.crop, self.enhanced, self.link = crop, enhanced, link

    def __call__(
        self, drawn: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
    ) -> MaskedBatch:
        images, labels = map(np.stack, zip(*drawn, strict=True))
        if self.enhanced:
            images, labels = enhance(images, labels, rng)
        tops, lefts = (
            CELL * rng.integers(0, (whole - part) // CELL + 1, len(images))
            for whole, part in zip(WORK_SIZE, self.crop, strict=True)
        )

        def cropped(pixels: Iterable[np.ndarray]) -> np.ndarray:
            height, width = self.crop
            corners = zip(pixels, tops, lefts, strict=True)
            return np.stack(
                [p[top : top + height, left : left + width] for p, top, left in corners]
            )

        true = cropped(labels)
        sent = received = self._class_shares(true)
        if self.link is not None:
            received = self._class_shares(cropped([self.link(m, rng) for m in labels]))
        return MaskedBatch(
            torch.from_numpy(cropped(images)),
            torch.from_numpy(true),
            sent,
            received,
            torch.from_numpy(draw_fractions(rng, len(images))),
        )

    def _class_shares(self, labels: np.ndarray) -> torch.Tensor:
        shares = torch.from_numpy(np.stack([self.class_shares.of_labels(m) for m in labels]))
        return shares.to(torch.bfloat16, memory_format=torch.channels_last)


def held_out(camvid: Path) -> data.Samples:
    """The frames that checkpoints and split are chosen on; CamVid val is left for scoring.

    The segmenters have seen those of CamVid: what they make of them orders networks, and is better
    than what they make of a new street.
    """
    real = data.read_camvid(camvid, "train", WORK_SIZE)
    drive = data.render_scenes(UNSEEN_SCENES, UNSEEN_TOWNS, step=37)
    return data.Samples(
        np.concatenate([real.images[::EVERY], drive.images]),
        np.concatenate([real.labels[::EVERY], drive.labels]),
    )


def street_sets(camvid: Path, scenes: int, segmenter: Segmenter) -> data.Sets:
    """CamVid train but for what is held out, and `scenes` frames of the procedural drive, with the
    share of each set; half of the maps are true and half estimated."""
    real = data.read_camvid(camvid, "train", WORK_SIZE)
    learned = np.arange(len(real.images)) % EVERY > 0
    sets = [
        (data.Samples(real.images[learned], real.labels[learned]), REAL),
        (data.render_scenes(scenes, TOWNS), 1 - REAL),
    ]
    return data.with_estimates(sets, segmenter)
