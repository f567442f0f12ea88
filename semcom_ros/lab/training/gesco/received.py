# SPDX-License-Identifier: Apache-2.0
"""Batches of training: what the RSU would have received of frames and their labels.

Noise on maps is that of Grassucci, Barbarossa, Comminiello, "Generative semantic communication:
diffusion models beyond bit recovery", arXiv 2306.04321, section III-D, so that a generator bears a
noisy map later; levels are PSNR as `lab.map_noise` defines it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from semcom_ros.codecs.gesco.fast_denoising import denoise
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import GRIDS, pool, upsample
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.map_noise import gaussian
from semcom_ros.labels import CLASSES
from semcom_ros.layers.class_shares import ClassShares

CROP = (192, 384)
"""Whole cells of the thumbnail, so that a crop's thumbnail is a crop of the frame's."""
GRIDS_SEEN = tuple(g for g in GRIDS if g[0] >= 32)
THUMBNAIL_BYTES = (0, 0, 16, 32, 48, 64, 64, 64)
NULL_MAP = 0.1
"""Share of the samples without a map, which classifier-free guidance needs."""
PLANES = 0.5
"""Share of the samples whose map came as noisy planes, where maps come both ways."""
FDS_SEEN = ("auto", "auto", "auto", "paper")
MAPS = ("received", "planes", "clean")
"""How maps arrive in training: coded on any grid or as noisy planes after fast denoising; as noisy
planes undenoised, which is the paper's recipe; or as planes without noise."""

LEVELS_DB = (30.0, 25.0, 20.0, 15.0, 10.0, 5.0, 1.0)
"""PSNR in dB, each as likely as the others where there is noise."""
CLEAN = 0.3
"""Share of the samples whose map has no noise."""


class ReceivedBatch(NamedTuple):
    """A batch as the RSU has it and as the camera saw it.

    class_shares: bfloat16 [B, classes, H/2, W/2]. coarse: bfloat16 [B, 3, H/16, W/16] in 0..1.
    pictured: bool [B], whether a thumbnail came, from which sampling can start. image: uint8
    [B, H, W, 3]. labels: uint8 [B, H, W].
    """

    class_shares: torch.Tensor
    coarse: torch.Tensor
    pictured: torch.Tensor
    image: torch.Tensor
    labels: torch.Tensor


class Reception:
    """Frames and labels in, what would be received of them at a random rate out."""

    def __init__(self, shared: GescoShared, classes: tuple[int, ...], maps: str):
        self.statistics, self.maps = shared.statistics, maps
        self.class_shares = ClassShares(classes)

    def __call__(
        self, drawn: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator
    ) -> ReceivedBatch:
        images, labels = map(np.stack, zip(*drawn, strict=True))
        # A crop costs half of a frame and starts on a cell of the thumbnail's chroma.
        step, cell = 2 * thumbnail.CELL, thumbnail.CELL
        top = step * rng.integers((WORK_SIZE[0] - CROP[0]) // step + 1)
        left = step * rng.integers((WORK_SIZE[1] - CROP[1]) // step + 1)
        rows, cols = slice(top, top + CROP[0]), slice(left, left + CROP[1])
        class_shares = np.stack([self._class_shares(m, rows, cols, rng) for m in labels])
        sizes = rng.choice(THUMBNAIL_BYTES, len(images))
        coarse = np.stack([self._thumbnail(i, int(n)) for i, n in zip(images, sizes, strict=True)])
        coarse = coarse[:, top // cell :, left // cell :][:, : CROP[0] // cell, : CROP[1] // cell]
        return ReceivedBatch(
            _channels_last(class_shares),
            _channels_last(coarse.transpose(0, 3, 1, 2)),
            torch.from_numpy(sizes > 0),
            torch.from_numpy(np.ascontiguousarray(images[:, rows, cols])),
            torch.from_numpy(np.ascontiguousarray(labels[:, rows, cols])),
        )

    def _class_shares(
        self, labels: np.ndarray, rows: slice, cols: slice, rng: np.random.Generator
    ) -> np.ndarray:
        if rng.random() < NULL_MAP:
            return np.zeros(
                (len(self.class_shares.classes), CROP[0] // 2, CROP[1] // 2), np.float32
            )
        if self.maps != "received":
            level = draw_level(rng) if self.maps == "planes" else None
            return self._noisy(labels[rows, cols], level, None, rng)
        if rng.random() < PLANES:
            # Planes cross the air at full or at half size.
            cells = labels[rows, cols]
            if rng.random() < 0.5:
                cells = pool(cells, (CROP[0] // 2, CROP[1] // 2))
            return self._noisy(cells, draw_level(rng), str(rng.choice(FDS_SEEN)), rng)
        grid = GRIDS_SEEN[rng.integers(len(GRIDS_SEEN))]
        return self.class_shares.of_labels(upsample(pool(labels, grid), WORK_SIZE)[0][rows, cols])

    def _noisy(
        self,
        cells: np.ndarray,
        level_db: float | None,
        fds: str | None,
        rng: np.random.Generator,
    ) -> np.ndarray:
        present = np.unique(cells)
        one_hot = (cells == present[:, None, None]).astype(np.float32)
        planes = np.zeros((len(CLASSES), *cells.shape), np.float32)
        planes[present] = noisy_planes(one_hot, level_db, rng)
        if fds and level_db is not None:
            planes = denoise(planes[present], present, fds=fds)
        return self.class_shares.of_planes(planes, CROP)

    def _thumbnail(self, image: np.ndarray, n_bytes: int) -> np.ndarray:
        if not n_bytes:
            return thumbnail.typical(self.statistics)
        code = thumbnail.encode(image, n_bytes, self.statistics)
        return thumbnail.decode(code, self.statistics)


def _channels_last(values: np.ndarray) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    return tensor.to(torch.bfloat16, memory_format=torch.channels_last)


def draw_level(rng: np.random.Generator) -> float | None:
    """A PSNR in dB for one sample of training, none for a clean map."""
    return None if rng.random() < CLEAN else float(rng.choice(LEVELS_DB))


def noisy_planes(
    one_hot: np.ndarray, level_db: float | None, rng: np.random.Generator
) -> np.ndarray:
    """`one_hot`, float32 [classes, H, W], with Gaussian noise, independent in class and pixel.

    A level of none gives the planes as they are. The released code adds one plane of noise to
    all classes alike, but tests with independent noise, which is what a channel makes.
    """
    return one_hot if level_db is None else gaussian(one_hot, level_db, rng)
