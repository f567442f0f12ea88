# SPDX-License-Identifier: Apache-2.0
"""Scores a network in training by a segmenter that no loss ever sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.codecs.gesco.diffusion import ImageDiffusion
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.training.data import Samples
from semcom_ros.lab.training.gesco.noisy_map import noisy_planes
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter

FILE = "judge.safetensors"
RECIPE = (
    "semcom train segmenter --camvid DIR --seed 7 --widths 32 64 96 160 --steps 1400 --scenes 300 "
    f"--out models/{FILE}"
)
NOISE_DB = 5.0


class Judge:
    """mIoU of regenerated images against truth, on every fourth frame of a held-out set.

    segmenter: the vehicle's, which estimates what is sent and fills the void of true maps.
    """

    def __init__(self, path: Path, held_out: Samples, segmenter: Segmenter, shared: GescoShared):
        self.segmenter = Segmenter.from_pretrained(path, recipe=RECIPE)
        self.images, self.labels = held_out.images[::4], held_out.labels[::4]
        self.sent = segmenter(self.images)
        self.statistics = shared.statistics
        self.ceiling = self._miou(self.images)

    def __call__(self, diffusion: ImageDiffusion) -> dict[str, float]:
        """Scores of one step: `coded` from estimated maps at half size with 64 bytes of thumbnail,
        `noisy` from true maps alone, as planes at PSNR 5 dB; `judge`, their mean, chooses."""
        coded, noisy = [], []
        blank = thumbnail.typical(self.statistics)
        for i, (image, labels, sent) in enumerate(
            zip(self.images, self.labels, self.sent, strict=True)
        ):
            received, _ = upsample(pool(sent, (128, 256)), WORK_SIZE)
            coarse = thumbnail.decode(thumbnail.encode(image, 64, self.statistics), self.statistics)
            coded += diffusion([diffusion.class_shares.of_labels(received)], [coarse])
            filled = np.where(labels == VOID, sent, labels)
            present = np.unique(filled)
            one_hot = (filled == present[:, None, None]).astype(np.float32)
            planes = denoise(noisy_planes(one_hot, NOISE_DB, np.random.default_rng(i)), present)
            class_shares = diffusion.class_shares.of_planes(planes, WORK_SIZE)
            noisy += diffusion([class_shares], [blank], from_picture=[False])
        scores = {"coded": self._miou(coded), "noisy": self._miou(noisy)}
        pairs = zip(self.images, coded, strict=True)
        return {
            "judge": float(np.mean(list(scores.values()))),
            **scores,
            "psnr": float(np.mean([psnr(image, found) for image, found in pairs])),
        }

    def _miou(self, images: list[np.ndarray]) -> float:
        confusion = ConfusionMatrix(folded=True)
        for labels, found in zip(self.labels, self.segmenter(images), strict=True):
            confusion.add(labels, found)
        return confusion.miou()
