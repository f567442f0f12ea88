# SPDX-License-Identifier: Apache-2.0
"""What the papers' networks learn from: frames with maps, drawn by seed."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset, default_collate

from semcom_ros.codecs.gesco.paper.sampling import STEPS
from semcom_ros.datasets import Source
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.lab.training.data import augment, pixels_of
from semcom_ros.label_spaces import LabelSpace
from semcom_ros.layers.image_input import to_input

LEVELS_DB = (30.0, 25.0, 20.0, 15.0, 10.0, 1.0)
"""PSNR in dB of GESCO's noisy maps, each as likely as the others."""
CLEAN = 0.3
"""Share of GESCO's maps without noise."""
RELEASED_NOISE = (0.6, 0.36, 0.22, 0.13, 0.08, 0.05, 0.0, 0.0, 0.0)
"""Standard deviations that the released code draws from, one a batch: a third is clean, and the
noisiest of its test is not among them."""
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
    """A batch for GESCO: image in -1..1 and noise float32 [B, 3, H, W], planes float32 [B, planes,
    H, W] of the label space, step int64 [B]."""

    image: torch.Tensor
    noise: torch.Tensor
    planes: torch.Tensor
    step: torch.Tensor


class NoisyDraws(Draws):
    """For GESCO: each sample mirrored or not, its map with any noise or missing.

    space: of the source's labels. noise: `paper`, a level of `LEVELS_DB` or none for each sample,
    independent on every value; or `released`, one of `RELEASED_NOISE` for the whole batch, and the
    same on all planes of a pixel.
    """

    def __init__(
        self, source: Source, size: tuple[int, int], seed: int, batch: int,
        space: LabelSpace, noise: str = "paper",
    ):  # fmt: skip
        super().__init__(source, size, seed, batch)
        self.space, self.noise = space, noise

    def __getitem__(self, index: int) -> NoisyDraw:
        rng = np.random.default_rng((self.seed, index))
        deviation = float(rng.choice(RELEASED_NOISE))
        return default_collate([self._sample(rng, deviation) for _ in range(self.batch)])

    def _sample(self, rng: np.random.Generator, deviation: float) -> dict[str, np.ndarray]:
        frame = fit(self.frame(int(rng.integers(len(self.source)))), self.size)
        planes = self.space.one_hot(given(frame.labels), frame.instances)
        image = frame.image
        if rng.random() < 0.5:
            image, planes = image[:, ::-1], planes[..., ::-1]
        if rng.random() < NULL:
            planes = np.zeros_like(planes)
        elif self.noise == "released":
            shared = rng.standard_normal((1, *self.size), dtype=np.float32)
            planes = planes + np.float32(deviation) * shared
        elif rng.random() >= CLEAN:
            planes = gaussian(planes, float(rng.choice(LEVELS_DB)), rng)
        levels = image.transpose(2, 0, 1).astype(np.float32)
        noise = rng.standard_normal(levels.shape, dtype=np.float32)
        step = rng.integers(STEPS)
        planes = np.ascontiguousarray(planes)
        return {"image": levels / 127.5 - 1, "noise": noise, "planes": planes, "step": step}


class StreetDraws(Draws):
    """For gsc: images float32 [B, 3, H, W] in 0..1 and labels int64 [B, H, W], augmented."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        rng = np.random.default_rng((self.seed, index))
        chosen = rng.integers(len(self.source), size=self.batch)
        drawn = (augment(pixels_of(self.frame(int(at))), rng, self.size, ZOOM) for at in chosen)
        images, labels = map(np.stack, zip(*drawn, strict=True))
        return to_input(images, torch.float32), torch.from_numpy(labels.astype(np.int64))
