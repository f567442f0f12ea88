# SPDX-License-Identifier: Apache-2.0
"""What the papers' networks learn from: frames with maps, drawn by seed."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from semcom_ros.codecs.gesco.paper.sampling import STEPS
from semcom_ros.datasets import Source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.training.data import augment, pixels_of
from semcom_ros.lab.training.gesco.received import draw_level, noisy_planes
from semcom_ros.labels import CLASSES
from semcom_ros.layers.image_input import to_input

PLANES = len(CLASSES) + 1
"""Of a map: one for each trainId, in their order, and a last one for void."""
NULL = 0.2
"""Share of the samples without a map, from which guidance learns what images look like alone."""
ZOOM = (1.0, 2.0)


class Draws(Dataset):
    """Batches of `batch` random frames of a labelled source at `size` (H, W).

    Batch i depends on `seed` and i alone, whatever process draws it: a run that resumes goes on as
    if it had never stopped. Raises SemcomError for a frame without labels.
    """

    def __init__(self, source: Source, size: tuple[int, int], seed: int, batch: int):
        self.source, self.size, self.seed, self.batch = source, size, seed, batch
        self.frame(0)

    def frame(self, at: int) -> Frame:
        """Frame `at` of the source."""
        frame = self.source[at]
        if frame.labels is None:
            raise SemcomError(
                f"Frame {at} of '{self.source.name}' has no labels: these networks learn from maps."
            )
        return frame


class NoisyDraw(TypedDict):
    """A batch for GESCO: image in -1..1 and noise float32 [B, 3, H, W], planes float32 [B, PLANES,
    H, W], step int64 [B]."""

    image: torch.Tensor
    noise: torch.Tensor
    planes: torch.Tensor
    step: torch.Tensor


class NoisyDraws(Draws):
    """For GESCO: each sample mirrored or not, its map with any noise or missing."""

    def __getitem__(self, index: int) -> NoisyDraw:
        rng = np.random.default_rng((self.seed, index))
        return default_collate([self._sample(rng) for _ in range(self.batch)])

    def _sample(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        image, labels = pixels_of(fit(self.frame(int(rng.integers(len(self.source)))), self.size))
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        if rng.random() < NULL:
            planes = np.zeros((PLANES, *self.size), np.float32)
        else:
            planes = noisy_planes(one_hot(labels), draw_level(rng), rng)
        levels = image.transpose(2, 0, 1).astype(np.float32)
        noise = rng.standard_normal(levels.shape, dtype=np.float32)
        step = rng.integers(STEPS)
        return {"image": levels / 127.5 - 1, "noise": noise, "planes": planes, "step": step}


class StreetDraws(Draws):
    """For gsc: images float32 [B, 3, H, W] in 0..1 and labels int64 [B, H, W], augmented."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng((self.seed, index))
        chosen = rng.integers(len(self.source), size=self.batch)
        drawn = (augment(pixels_of(self.frame(int(at))), rng, self.size, ZOOM) for at in chosen)
        images, labels = map(np.stack, zip(*drawn, strict=True))
        return to_input(images, torch.float32), torch.from_numpy(labels.astype(np.int64))


def one_hot(labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W] trainId, 255 void, -> float32 [PLANES, H, W]."""
    places = np.minimum(labels, PLANES - 1)
    return (places == np.arange(PLANES)[:, None, None]).astype(np.float32)
