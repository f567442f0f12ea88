# SPDX-License-Identifier: Apache-2.0
"""What the paper's networks learn from: augmented frames with maps, drawn by seed."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from semcom_ros.codecs.sqgan.paper.configuration import CLASS_PLANES, MAP_PLANES
from semcom_ros.datasets import Source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.data import augment
from semcom_ros.lab.training.sqgan.enhancement import enhance

ZOOM = (1.0, 2.0)
FRACTIONS = (0.05, 0.2875, 0.525, 0.7625, 1.0)
"""Of the latent vectors kept, one a batch."""
FRACTION = (-0.95, 0.4)
"""Mean and deviation of the log of the fraction, before it is rounded to one of `FRACTIONS`."""
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Sample = tuple[np.ndarray, np.ndarray]


class Draw(TypedDict):
    """A batch: image float32 [B, 3, H, W], normalised; planes one-hot float32 [B, MAP_PLANES, H,
    W]; labels int64 [B, H, W], their places; fraction of latent vectors to keep, float32 [B]."""

    image: torch.Tensor
    planes: torch.Tensor
    labels: torch.Tensor
    fraction: torch.Tensor


class Draws(Dataset):
    """`count` batches of `batch` random frames of a labelled source at `size` (H, W).

    Batch i depends on `seed` and i alone, whatever process draws it: a run that resumes goes on as
    if it had never stopped. Objects are pasted between the frames of a batch. Raises SemcomError
    for a frame without labels.
    """

    def __init__(self, source: Source, size: tuple[int, int], seed: int, count: int, batch: int):
        self.source, self.size, self.seed = source, size, seed
        self.count, self.batch = count, batch
        self._frame(0, np.random.default_rng(seed))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Draw:
        rng = np.random.default_rng((self.seed, index))
        chosen = rng.integers(len(self.source), size=self.batch)
        images, labels = zip(*(self._frame(int(at), rng) for at in chosen), strict=True)
        images, labels = enhance(np.stack(images), np.stack(labels), rng)
        fraction = draw_fraction(rng)
        places = torch.from_numpy(np.minimum(labels, CLASS_PLANES).astype(np.int64))
        planes = torch.nn.functional.one_hot(places, MAP_PLANES).permute(0, 3, 1, 2)
        return Draw(
            image=normalised(images),
            planes=planes.float(),
            labels=places,
            fraction=torch.full((self.batch,), fraction),
        )

    def _frame(self, at: int, rng: np.random.Generator) -> Sample:
        frame = self.source[at]
        if frame.labels is None:
            raise SemcomError(
                f"Frame {at} of '{self.source.name}' has no labels: these networks learn from maps."
            )
        return augment((frame.image, frame.labels), rng, self.size, ZOOM, jitter=True)


def draw_fraction(rng: np.random.Generator) -> float:
    """The nearest of `FRACTIONS` to a log-normal number."""
    drawn = float(np.exp(rng.normal(*FRACTION)))
    return min(FRACTIONS, key=lambda fraction: abs(fraction - drawn))


def normalised(images: np.ndarray) -> torch.Tensor:
    """Images uint8 [B, H, W, 3] as float32 [B, 3, H, W] with ImageNet's mean and deviation."""
    levels = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
    return (levels - mean) / deviation


def pixels(image: torch.Tensor) -> torch.Tensor:
    """A normalised image [B, 3, H, W] in 0..1."""
    mean, deviation = (
        torch.tensor(v, device=image.device).reshape(1, 3, 1, 1) for v in (_MEAN, _DEVIATION)
    )
    return image * deviation + mean
