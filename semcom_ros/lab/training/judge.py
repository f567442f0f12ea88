# SPDX-License-Identifier: Apache-2.0
"""Scores networks in training by a segmenter that no loss ever sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from semcom_ros.codecs.gesco.diffusion import ImageDiffusion
from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.masking import keep
from semcom_ros.codecs.sqgan.pipeline import MASKS, Pipeline
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.map_noise import receive_map
from semcom_ros.lab.metrics.confusion import ConfusionMatrix, psnr
from semcom_ros.lab.training.data import CAMVID_CLASSES, Samples
from semcom_ros.labels import VOID
from semcom_ros.perception.segmentation import Segmenter

FILE = "judge.safetensors"
RECIPE = (
    "semcom train segmenter --camvid DIR --seed 7 --widths 32 64 96 160 --steps 1400 --scenes 300 "
    f"--share 0.15 --out models/{FILE}"
)
SENT_GRID = (128, 256)
"""Of the maps that images are regenerated from."""
NOISE_DB = 5.0
MAP_FRACTIONS = (0.2, 0.5)
IMAGE_FRACTIONS = (0.12, 0.5)
"""Of the latent vectors kept: about what small and large payloads hold."""


class Judge:
    """mIoU against truth on held-out frames, the judge in the file `path`.

    segmenter: the vehicle's, which estimates what is sent and fills the void of true maps.
    ceiling: the judge's mIoU on the frames themselves.
    """

    def __init__(self, path: Path, held_out: Samples, segmenter: Segmenter, device: str = "cpu"):
        self.segmenter = Segmenter.from_pretrained(path, device, RECIPE)
        self.device, self.images, self.truth = device, held_out.images, held_out.labels
        self.sent = segmenter(self.images)
        self.received = [upsample(pool(labels, SENT_GRID), WORK_SIZE)[0] for labels in self.sent]
        self.filled = np.where(self.truth == VOID, self.sent, self.truth)
        self.ceiling = self.miou(self.segmenter(self.images))

    def miou(self, maps: Iterable[np.ndarray]) -> float:
        """Of maps against truth."""
        confusion = ConfusionMatrix(folded=True)
        for labels, estimate in zip(self.truth, maps, strict=True):
            confusion.add(labels, estimate)
        return confusion.miou()

    def scored(self, images: Sequence[np.ndarray]) -> tuple[float, float]:
        """mIoU and mean PSNR of regenerated images."""
        fidelity = [psnr(a, b) for a, b in zip(self.images, images, strict=True)]
        return self.miou(self.segmenter(images)), float(np.mean(fidelity))


class DiffusionJudge(Judge):
    """Scores GESCO's diffusion in one step."""

    def __init__(
        self, path: Path, held_out: Samples, segmenter: Segmenter, shared: GescoShared, device: str
    ):
        super().__init__(path, held_out, segmenter, device)
        known = shared.statistics
        self.blank = thumbnail.typical(known)
        self.coarse = [
            thumbnail.decode(thumbnail.encode(image, 64, known), known) for image in self.images
        ]
        self.denoised = [
            denoise(*receive_map(labels, NOISE_DB, i)) for i, labels in enumerate(self.filled)
        ]

    def __call__(self, diffusion: ImageDiffusion) -> dict[str, float]:
        """`coded` from estimated maps at half size with 64 bytes of thumbnail, `noisy` from true
        maps alone, as planes at PSNR 5 dB; `judge`, their mean, chooses."""
        shares, n = diffusion.class_shares, len(self.images)
        coded, fidelity = self.scored(
            diffusion([shares.of_labels(labels) for labels in self.received], self.coarse)
        )
        denoised = [shares.of_planes(planes, WORK_SIZE) for planes in self.denoised]
        noisy, _ = self.scored(diffusion(denoised, [self.blank] * n, from_picture=[False] * n))
        return {"judge": (coded + noisy) / 2, "coded": coded, "noisy": noisy, "psnr": fidelity}


class PipelineJudge(Judge):
    """Scores SQ-GAN's pipelines at fractions of the latent vectors kept; `judge`, the mean mIoU
    over them, chooses."""

    def of_maps(self, pipeline: Pipeline) -> dict[str, float]:
        """mIoU of true maps, passed on."""
        codebook = pipeline.quantiser.codebook
        transmit = MapTransmitter(pipeline.transmitter, codebook, CAMVID_CLASSES, self.device)
        receive = MapReceiver(pipeline.receiver, codebook, CAMVID_CLASSES, self.device)
        indices, scored = transmit(self.filled)
        scores = {}
        for fraction in MAP_FRACTIONS:
            kept = [kept_of(pipeline, one, fraction, i) for i, one in enumerate(scored)]
            scores[f"miou {fraction}"] = self.miou(receive(indices, kept)[0])
        return {"judge": float(np.mean(list(scores.values()))), **scores}

    def of_images(self, pipeline: Pipeline) -> dict[str, float]:
        """mIoU and PSNR of images regenerated from estimated maps at half size."""
        codebook = pipeline.quantiser.codebook
        transmit = ImageTransmitter(pipeline.transmitter, codebook, CAMVID_CLASSES, self.device)
        receive = ImageReceiver(pipeline.receiver, codebook, CAMVID_CLASSES, self.device)
        indices, scored = transmit(self.images, self.sent)
        mious, psnrs = {}, {}
        for fraction in IMAGE_FRACTIONS:
            kept = [kept_of(pipeline, one, fraction, i) for i, one in enumerate(scored)]
            shown = receive(indices, kept, self.received)
            mious[f"miou {fraction}"], psnrs[f"psnr {fraction}"] = self.scored(shown)
        return {"judge": float(np.mean(list(mious.values()))), **mious, **psnrs}


def kept_of(pipeline: Pipeline, scores: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """The mask bool [h, w] that the pipeline makes of scores [h, w]; `seed` for a random one."""
    if pipeline.mask != MASKS[0]:
        scores = np.random.default_rng(seed).random(scores.shape, np.float32)
    return keep(torch.from_numpy(scores)[None, None], torch.tensor([fraction]))[0, 0].numpy()
