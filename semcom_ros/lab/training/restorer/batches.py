# SPDX-License-Identifier: Apache-2.0
"""Batches for the restorer, made on the device: frames, coded pictures, received maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.codecs.gesco import fast_denoising as fds
from semcom_ros.coding.grids import GRIDS, THIN
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training.gesco.noisy_map import LEVELS_DB
from semcom_ros.labels import CLASSES, TRAIN_ID, VOID
from semcom_ros.layers.class_shares import SHARES_STRIDE

CELL = 16
"""Pixels that crops start on, so that the blocks of coded pictures stay where they are."""
N_PLANES = len(CLASSES) + 1

GRIDS_SEEN = (0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
"""Of `GRIDS`: 256 to 40 rows, mostly those that a map of 80 to 250 bytes takes."""
MAPS_AT_ONCE = 4
"""Samples that share a grid."""
PLANES, PLANES_GRID = 0.12, 4
"""Share of the maps that came as noisy planes, and their grid among `GRIDS`: 128 rows."""
NO_MAP, NO_PICTURE, THUMBNAIL = 0.03, 0.06, 0.12
"""Shares of the samples that came without the one, without the other, or with a thumbnail's
colours for a picture."""
ESTIMATED = 0.6
"""Share of the maps that are as the vehicle's segmenter sees them, errors and all."""
EMPHASIS = {"pole": 1.5, "traffic light": 2.0, "traffic sign": 2.0, "person": 4.0, "rider": 4.0,
            "bicycle": 3.0, "motorcycle": 3.0, "car": 2.0, "truck": 2.0, "bus": 2.0, "sky": 0.7,
            "vegetation": 0.8}  # fmt: skip
"""Weight of a class's pixels in the losses where it is not 1: what planners look for counts."""


def sharpness(width: int) -> float:
    """What the network hears of a picture whose sides were scaled to `width` columns: 12 at full
    size, 4 less for each halving; -12 and below stand for no picture."""
    return 12 + 4 * float(np.log2(width / WORK_SIZE[1]))


NO_PICTURE_SHARPNESS = -12.0


@dataclass(frozen=True)
class Streets:
    """All that is drawn from, on one device.

    images uint8 [N, 3, 256, 512]; truth, estimated uint8 [N, 256, 512] trainId, 255 void;
    pictures uint8 [M, 3, 256, 512], coded, of frames `frame_of` [M] with `sharpness` [M];
    chance [M]: how often each is drawn; thumbnails float32 [N, 3, 16, 32] in 0..1, and `typical`
    float32 [3, 16, 32], that of any street.
    """

    images: torch.Tensor
    truth: torch.Tensor
    estimated: torch.Tensor
    pictures: torch.Tensor
    frame_of: torch.Tensor
    sharpness: torch.Tensor
    chance: torch.Tensor
    thumbnails: torch.Tensor
    typical: torch.Tensor


@dataclass(frozen=True)
class PictureBatch:
    """A batch as the RSU has it and as the camera saw it; images [B, 3, h, w] in 0..1.

    class_shares: [B, classes, h/2, w/2]. sharpness: [B]. emphasis: [B, 1, h, w], mean about 1.
    """

    class_shares: torch.Tensor
    picture: torch.Tensor
    sharpness: torch.Tensor
    image: torch.Tensor
    emphasis: torch.Tensor


class PictureBatches:
    """Draws batches of `batch` crops of `crop` (h, w) from `streets`, reproducibly by `seed`."""

    def __init__(self, streets: Streets, batch: int, crop: tuple[int, int], seed: int):
        self.streets, self.batch, self.crop = streets, batch, crop
        device = streets.images.device
        self.random = np.random.default_rng(seed)
        self.chance = (streets.chance / streets.chance.sum()).double().cpu().numpy()
        self.chance /= self.chance.sum()
        self.resampling = {g: Resampling(GRIDS[g], device) for g in GRIDS_SEEN}
        emphasis = np.ones(256, np.float32)
        for name, weight in EMPHASIS.items():
            emphasis[TRAIN_ID[name]] = weight
        self.emphasis = torch.from_numpy(emphasis).to(device)

    def draw(self) -> PictureBatch:
        s, rng, n = self.streets, self.random, self.batch
        drawn = self._tensor(rng.choice(len(self.chance), n, p=self.chance))
        frames = s.frame_of[drawn]
        seen, true = s.estimated[frames], s.truth[frames]
        filled = torch.where(true == VOID, seen, true)
        sent = torch.where(self._tensor(rng.random((n, 1, 1)) < ESTIMATED), seen, filled)
        shares = torch.cat([self._class_shares(part) for part in sent.split(MAPS_AT_ONCE)])
        shares = shares * self._tensor(rng.random((n, 1, 1, 1)) >= NO_MAP)

        image, picture = (t.float() / 255 for t in (s.images[frames], s.pictures[drawn]))
        kind = self._tensor(rng.random(n))
        none, thumb = kind < NO_PICTURE, (kind >= NO_PICTURE) & (kind < NO_PICTURE + THUMBNAIL)
        coarse = torch.where(none[:, None, None, None], s.typical, s.thumbnails[frames])
        coarse = F.interpolate(coarse, size=WORK_SIZE, mode="bilinear")
        picture = torch.where((none | thumb)[:, None, None, None], coarse, picture)
        sharp = torch.where(thumb, sharpness(32), s.sharpness[drawn])
        sharp = torch.where(none, NO_PICTURE_SHARPNESS, sharp)

        # One change of light for what was received and what is to come out.
        gain = rng.uniform(0.8, 1.2, (n, 1, 1, 1)) * rng.uniform(0.93, 1.07, (n, 3, 1, 1))
        gain, offset = self._tensor(gain), self._tensor(rng.uniform(-0.06, 0.06, (n, 1, 1, 1)))
        image, picture = ((t * gain + offset).clamp(0, 1) for t in (image, picture))
        emphasis = self.emphasis[filled.long()][:, None]
        return self._cropped(PictureBatch(shares, picture, sharp, image, emphasis))

    def _class_shares(self, labels: torch.Tensor) -> torch.Tensor:
        if self.random.random() < PLANES:
            level = self.random.choice(LEVELS_DB)
            return denoised_planes(self.resampling[PLANES_GRID].cells(labels), float(level))
        return self.resampling[int(self.random.choice(GRIDS_SEEN))](labels)

    def _cropped(self, whole: PictureBatch) -> PictureBatch:
        """Crops at whole cells, half of them mirrored."""
        (height, width), rng = self.crop, self.random
        cuts = []
        for _ in range(self.batch):
            top = CELL * rng.integers((WORK_SIZE[0] - height) // CELL + 1)
            left = CELL * rng.integers((WORK_SIZE[1] - width) // CELL + 1)
            cuts.append((top, left, rng.random() < 0.5))

        def cut(values: torch.Tensor, stride: int) -> torch.Tensor:
            parts = []
            for value, (top, left, mirror) in zip(values, cuts, strict=True):
                rows = slice(top // stride, (top + height) // stride)
                part = value[:, rows, left // stride : (left + width) // stride]
                parts.append(part.flip(-1) if mirror else part)
            return torch.stack(parts).contiguous(memory_format=torch.channels_last)

        return PictureBatch(
            cut(whole.class_shares, SHARES_STRIDE),
            cut(whole.picture, 1),
            whole.sharpness,
            cut(whole.image, 1),
            cut(whole.emphasis, 1),
        )

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        return torch.from_numpy(values).to(self.streets.images.device, non_blocking=True)


class Resampling:
    """labels uint8 [B, 256, 512] -> class shares [B, 19, 128, 256] of the map that arrives when it
    is sent on one grid: `grids.pool` and `grids.upsample`, by matrices, ties aside."""

    def __init__(self, grid: tuple[int, int], device: torch.device):
        self.full = grid == WORK_SIZE
        self.down = [
            torch.from_numpy(_areas(n, c)).to(device) for n, c in zip(WORK_SIZE, grid, strict=True)
        ]
        self.up = [
            torch.from_numpy(_splines(n, c)).to(device)
            for n, c in zip(WORK_SIZE, grid, strict=True)
        ]
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
        _gaussian(n, reach).to(cells.device) for n, reach in zip(fds.WINDOW, fds.REACH, strict=True)
    )
    for _ in range(fds.PASSES):
        flat = F.pad(posteriors.flatten(0, 1)[:, None], (2, 2, 4, 4), mode="replicate")
        around = F.conv2d(F.conv2d(flat, across[None, None, None]), down[None, None, :, None])
        posteriors = (around.view_as(posteriors) + fds.LEAST_SHARE) ** 3 * likely
        posteriors = posteriors / posteriors.sum(1, keepdim=True)
    return posteriors[:, : len(CLASSES)]


def _gaussian(size: int, deviation: float) -> torch.Tensor:
    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * deviation**2))
    return line / line.sum()


def _one_hot(labels: torch.Tensor) -> torch.Tensor:
    """float32 [B, 20, H, W]; void is the last plane."""
    places = torch.arange(N_PLANES, device=labels.device, dtype=labels.dtype)
    return (labels.clamp(max=len(CLASSES))[:, None] == places[:, None, None]).float()


def _areas(size: int, cells: int) -> np.ndarray:
    """float32 [cells, size]: the share of each pixel that lies in each cell."""
    edges = np.arange(cells + 1) * size / cells
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0).astype(np.float32)


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
