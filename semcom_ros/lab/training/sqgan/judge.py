# SPDX-License-Identifier: Apache-2.0
"""Scores pipelines in training: the map against truth, the image by a segmenter no loss sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.masking import keep
from semcom_ros.codecs.sqgan.pipeline import MASKS, Pipeline
from semcom_ros.coding.grids import pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.gesco.judge import RECIPE
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter

MAP_FRACTIONS = (0.2, 0.5)
IMAGE_FRACTIONS = (0.12, 0.5)
"""Of the latent vectors kept: about what small and large payloads hold."""
SENT_GRID = (128, 256)
"""Of the maps that images are regenerated from."""


class Judge:
    """mIoU against truth on a held-out set.

    segmenter: the vehicle's, which estimates what is sent and fills the void of true maps.
    """

    def __init__(self, path: Path, held_out: Samples, segmenter: Segmenter):
        self.segmenter = Segmenter.from_pretrained(path, recipe=RECIPE)
        self.images, self.truth = held_out.images, held_out.labels
        self.sent = segmenter(self.images)
        self.received = [upsample(pool(labels, SENT_GRID), WORK_SIZE)[0] for labels in self.sent]
        self.filled = [
            np.where(labels == VOID, sent, labels)
            for labels, sent in zip(self.truth, self.sent, strict=True)
        ]
        self.ceiling = self._miou(self.segmenter(self.images))

    def of_maps(self, pipeline: Pipeline, classes: tuple[int, ...]) -> dict[str, float]:
        """mIoU of true maps, passed on at the fractions; `judge` is their mean."""
        transmitter = MapTransmitter(pipeline.transmitter, pipeline.quantiser.codebook, classes)
        receiver = MapReceiver(pipeline.receiver, pipeline.quantiser.codebook, classes)
        indices, scores_of = transmitter(self.filled)
        scores = {}
        for fraction in MAP_FRACTIONS:
            kept = [kept_of(pipeline, one, fraction, i) for i, one in enumerate(scores_of)]
            scores[f"miou {fraction}"] = self._miou(receiver(indices, kept)[0])
        return {"judge": float(np.mean(list(scores.values()))), **scores}

    def of_images(self, pipeline: Pipeline, classes: tuple[int, ...]) -> dict[str, float]:
        """mIoU of images regenerated from estimated maps at half size, `judge` their mean over the
        fractions, and PSNR."""
        transmitter = ImageTransmitter(pipeline.transmitter, pipeline.quantiser.codebook, classes)
        receiver = ImageReceiver(pipeline.receiver, pipeline.quantiser.codebook, classes)
        indices, scores_of = transmitter(self.images, self.sent)
        mious, psnrs = {}, {}
        for fraction in IMAGE_FRACTIONS:
            kept = [kept_of(pipeline, one, fraction, i) for i, one in enumerate(scores_of)]
            shown = receiver(indices, kept, self.received)
            mious[f"miou {fraction}"] = self._miou(self.segmenter(shown))
            pairs = zip(self.images, shown, strict=True)
            psnrs[f"psnr {fraction}"] = float(np.mean([psnr(a, b) for a, b in pairs]))
        return {
            "judge": float(np.mean(list(mious.values()))),
            **mious,
            **psnrs,
        }

    def _miou(self, found: Sequence[np.ndarray]) -> float:
        confusion = ConfusionMatrix(folded=True)
        for labels, estimate in zip(self.truth, found, strict=True):
            confusion.add(labels, estimate)
        return confusion.miou()


def kept_of(pipeline: Pipeline, scores: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The mask bool [h, w] that the pipeline makes of scores [h, w]; `seed` for a random one."""
    if pipeline.mask != MASKS[0]:
        scores = np.random.default_rng(seed).random(scores.shape, np.float32)
    return keep(torch.from_numpy(scores)[None, None], torch.tensor([fraction]))[0, 0].numpy()
