# SPDX-License-Identifier: Apache-2.0
"""What the paper's network learns from: frames with noisy maps, steps and noise, drawn by seed."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset

from semcom_ros.codecs.gesco.paper.configuration import one_hot
from semcom_ros.codecs.gesco.paper.diffusion import STEPS
from semcom_ros.datasets import Source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.training.gesco.noisy_map import draw_level, noisy_planes

NULL = 0.2
"""Share of the samples without a map, from which guidance learns what images look like alone."""


class Draw(TypedDict):
    """One sample: image and noise float32 [3, H, W], planes float32 [PLANES, H, W], step int64."""

    image: torch.Tensor
    noise: torch.Tensor
    planes: torch.Tensor
    step: torch.Tensor


class Draws(Dataset):
    """`count` random samples of a labelled source at `size` (H, W), the image in -1..1.

    Sample i depends on `seed` and i alone, whatever process draws it and in whatever order: a run
    that resumes goes on as if it had never stopped. Raises SemcomError for a frame without labels.
    """

    def __init__(self, source: Source, size: tuple[int, int], seed: int, count: int):
        self.source, self.size, self.seed, self.count = source, size, seed, count
        self._frame(0)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Draw:
        rng = np.random.default_rng((self.seed, index))
        frame = self._frame(int(rng.integers(len(self.source))))
        image, labels = frame.image, frame.labels
        if rng.random() < 0.5:
            image, labels = image[:, ::-1], labels[:, ::-1]
        if rng.random() < NULL:
            planes = np.zeros_like(one_hot(labels))
        else:
            planes = noisy_planes(one_hot(labels), draw_level(rng), rng)
        levels = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32)
        return Draw(
            image=torch.from_numpy(levels / 127.5 - 1),
            noise=torch.from_numpy(rng.standard_normal(levels.shape, dtype=np.float32)),
            planes=torch.from_numpy(planes),
            step=torch.tensor(rng.integers(STEPS)),
        )

    def _frame(self, at: int) -> Frame:
        frame = fit(self.source[at], self.size)
        if frame.labels is None:
            raise SemcomError(
                f"Frame {at} of '{self.source.name}' has no labels: this network learns from maps."
            )
        return frame
