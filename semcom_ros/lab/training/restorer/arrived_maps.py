# SPDX-License-Identifier: Apache-2.0
"""Maps as they arrive, made on the device: sent on one grid, or as noisy planes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.codecs.gesco import fast_denoising as fds
from semcom_ros.coding.grids import THIN
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import CLASSES, TRAIN_ID
from semcom_ros.layers.class_shares import SHARES_STRIDE

N_PLANES = len(CLASSES) + 1


class Resampling:
    """labels uint8 [B, 256, 512] -> class shares [B, 19, 128, 256] of the map that arrives when it
    is sent on one grid: `grids.pool` and `grids.upsample`, by matrices, ties aside."""

    def __init__(self, grid: tuple[int, int], device: torch.device):
        self.full = grid == WORK_SIZE

        def on_device(matrix: Callable[[int, int], np.ndarray]) -> list[torch.Tensor]:
            sides = zip(WORK_SIZE, grid, strict=True)
            return [torch.from_numpy(matrix(n, cells)).to(device) for n, cells in sides]

        self.down, self.up = on_device(_areas), on_device(_splines)
        vote = np.ones((N_PLANES, 1, 1), np.float32)
        vote[[TRAIN_ID[name] for name in THIN]] = 1.5
        self.vote = torch.from_numpy(vote).to(device)

    def __call__(self, labels: torch.Tensor) -> torch.Tensor:
        planes = _one_hot(labels)
        if not self.full:
            cells = _one_hot(self.cells(labels))
            planes = _one_hot((self.up[0] @ cells @ self.up[1].T).argmax(1))
        return F.avg_pool2d(planes[:, : len(CLASSES)], SHARES_STRIDE)

    def cells(self, labels: torch.Tensor) -> torch.Tensor:
        """int64 [B, h, w], void as class 19."""
        return (self.down[0] @ _one_hot(labels) @ self.down[1].T).mul_(self.vote).argmax(1)


def denoised_planes(cells: torch.Tensor, level_db: float) -> torch.Tensor:
    """Class shares [B, 19, h, w] of `cells` [B, h, w] that came as planes with Gaussian noise of a
    PSNR of `level_db`, after `fast_denoising.denoise`, whose variance is known."""
    planes = _one_hot(cells)
    deviation = 10 ** (-level_db / 20)
    received = planes + deviation * torch.randn_like(planes)
    likely = (received - 0.5) / max(deviation**2, fds.LEAST_VARIANCE)
    absent = planes.amax((2, 3), keepdim=True) == 0
    likely = likely.masked_fill(absent, -torch.inf)
    likely = (likely - likely.amax(1, keepdim=True)).clamp(min=fds.LEAST_LOG_LIKELIHOOD).exp()
    likely = likely.masked_fill(absent, 0)
    posteriors = likely / likely.sum(1, keepdim=True)
    across, down = (
        torch.from_numpy(cv2.getGaussianKernel(n, reach, cv2.CV_32F)[:, 0]).to(cells.device)
        for n, reach in zip(fds.WINDOW, fds.REACH, strict=True)
    )
    for _ in range(fds.PASSES):
        flat = F.pad(posteriors.flatten(0, 1)[:, None], (2, 2, 4, 4), mode="replicate")
        around = F.conv2d(F.conv2d(flat, across[None, None, None]), down[None, None, :, None])
        posteriors = (around.view_as(posteriors) + fds.LEAST_SHARE) ** 3 * likely
        posteriors = posteriors / posteriors.sum(1, keepdim=True)
    return posteriors[:, : len(CLASSES)]


def _one_hot(labels: torch.Tensor) -> torch.Tensor:
    """float32 [B, 20, H, W]; void is the last plane."""
    places = torch.arange(N_PLANES, device=labels.device, dtype=labels.dtype)
    return (labels.clamp(max=len(CLASSES))[:, None] == places[:, None, None]).float()


def _areas(size: int, cells: int) -> np.ndarray:
    """float32 [cells, size]: the share of each pixel in the mean of each cell."""
    return cv2.resize(np.eye(size, dtype=np.float32), (size, cells), interpolation=cv2.INTER_AREA)


def _splines(size: int, cells: int) -> np.ndarray:
    """float32 [size, cells]: what each cell gives to each pixel by the quadratic B-spline."""
    at = (np.arange(size) + 0.5) * cells / size
    nearest = at.astype(int)
    offset = at - nearest - 0.5
    weights = np.zeros((size, cells), np.float32)
    for step, weight in ((-1, (0.5 - offset) ** 2 / 2), (1, (0.5 + offset) ** 2 / 2)):
        np.add.at(weights, (np.arange(size), np.clip(nearest + step, 0, cells - 1)), weight)
    np.add.at(weights, (np.arange(size), nearest), 0.75 - offset**2)
    return weights
