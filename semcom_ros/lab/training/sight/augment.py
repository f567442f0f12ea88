# SPDX-License-Identifier: Apache-2.0
"""Frames that live on a device and are cropped, turned, lit and mixed there, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.frame import WORK_SIZE, fit_window
from semcom_ros.lab.training.sight.pack import Frames
from semcom_ros.lab.training.sight.rows import CLASSES, GROUPS, ROWS
from semcom_ros.labels import CLASSES as LABELS
from semcom_ros.labels import TRAIN_ID, VOID

ZOOM = (0.6, 1.9)
"""Of the scale of work, at which a frame fitted to `WORK_SIZE` is seen."""
TURN, SHAPE = math.radians(4), 0.1
"""Most radians a window is turned, and logarithm of its shape's change."""
PASTED = 0.4
"""Part of the frames into which things of another are pasted."""
THIN = tuple(TRAIN_ID[name] for name in ("pole", "fence"))


class Set:
    """Frames on `device`; frames with rare labels are drawn more often.

    images: uint8 [N, H, W, 3] RGB. rows: uint8 [N, H, W] (`rows.rows_of`), or None: all void.
    """

    def __init__(self, frames: Frames, rows: np.ndarray | None, device: str):
        count, height, width, _ = frames.images.shape
        self.images = torch.from_numpy(frames.images).to(device)
        known = np.full((count, height, width), VOID, np.uint8) if rows is None else rows
        # Void becomes 0, which is also what lies outside a frame.
        self.rows = torch.from_numpy(known + np.uint8(1)).to(device)
        self.scale = WORK_SIZE[1] / fit_window(height, width).width
        self.odds = torch.from_numpy(_odds(known)).to(device)

    def draw(self, count: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Random windows: images float32 [B, 3, h, w] in 0..1, rows int64 [B, h, w], 255 void."""
        device = self.images.device
        chosen = torch.multinomial(self.odds, count, replacement=True)
        images = self.images[chosen].permute(0, 3, 1, 2).float() / 255
        rows = self.rows[chosen][:, None].float()
        grid = self._windows(count, size, device)
        seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        labels = F.grid_sample(rows, grid, mode="nearest", align_corners=False)[:, 0]
        return seen.clamp_(0, 1), (labels.long() - 1) % 256

    def _windows(self, count: int, size: tuple[int, int], device: torch.device) -> torch.Tensor:
        """A sampling grid [B, h, w, 2] in -1..1 of the frames."""

        def uniform(low: float, high: float) -> torch.Tensor:
            return torch.rand(count, device=device) * (high - low) + low

        height, width = self.rows.shape[1:]
        zoom = self.scale * uniform(*map(math.log, ZOOM)).exp()
        shape = uniform(-SHAPE, SHAPE).exp()
        turn = uniform(-TURN, TURN)
        flip = (torch.rand(count, device=device) < 0.5) * 2.0 - 1
        # Half a window and half a frame, in pixels of the frame; what is left is where it may lie.
        across, down = size[1] / 2 / (zoom * shape), size[0] / 2 / (zoom / shape)
        x = (width / 2 - across).abs() * uniform(-1, 1)
        y = (height / 2 - down).abs() * uniform(-1, 1)
        v, u = torch.meshgrid(
            *(torch.linspace(-1 + 1 / n, 1 - 1 / n, n, device=device) for n in size), indexing="ij"
        )
        u, v = (u * (flip * across)[:, None, None], v * down[:, None, None])
        cos, sin = turn.cos()[:, None, None], turn.sin()[:, None, None]
        columns = (u * cos - v * sin + x[:, None, None]) / (width / 2)
        lines = (u * sin + v * cos + y[:, None, None]) / (height / 2)
        return torch.stack([columns, lines], -1)


def _odds(rows: np.ndarray) -> np.ndarray:
    """How often to draw each frame: by the rarest of its labels, at most four times as often."""
    counts = np.stack([np.bincount(r.ravel(), minlength=256)[:ROWS] for r in rows]).astype(float)
    present = counts > 100
    if not present.any():
        return np.ones(len(rows), np.float32)
    frames_with = np.maximum(present.sum(0), 1) / len(rows)
    rarest = np.where(present, frames_with, 1).min(1)
    return np.minimum(rarest**-0.5, 4).astype(np.float32)


def paste(images: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Into some of the frames half of the things and thin classes of their neighbour in the batch.

    Source: Olsson et al., "ClassMix", WACV 2021, with true labels.
    """
    count, device = len(images), images.device
    odds = torch.zeros(256, device=device)
    odds[_PASTEABLE] = 0.5
    chosen = torch.rand(count, 256, device=device) < odds
    chosen &= torch.rand(count, 1, device=device) < PASTED
    other = torch.arange(count, device=device).roll(count // 2 + 1)
    where = chosen.gather(1, rows[other].flatten(1)).view_as(rows)
    return (
        torch.where(where[:, None], images[other], images),
        torch.where(where, rows[other], rows),
    )


def _pasteable() -> list[int]:
    things = {i for i, c in enumerate(LABELS) if c.thing} | set(THIN)
    return sorted(things | {CLASSES + g for g, group in enumerate(GROUPS) if group[0] in things})


_PASTEABLE = _pasteable()


def relight(images: torch.Tensor) -> torch.Tensor:
    """Images [B, 3, h, w] in 0..1 in other light and colour, with noise, some out of focus."""
    count, device = len(images), images.device

    def uniform(low: float, high: float, *more: int) -> torch.Tensor:
        shape = (count, *(more or (1,)), 1, 1)
        return torch.rand(shape, device=device) * (high - low) + low

    grey = images.mean(1, keepdim=True)
    colour = uniform(0.3, 1.6) * (uniform(0, 1) > 0.08)
    x = grey + (images - grey) * colour
    x = x.clamp(1e-3, 1) ** uniform(-0.4, 0.4).exp()
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (x - middle) * uniform(0.65, 1.35) + middle * uniform(0.7, 1.3)
    x = x * uniform(0.9, 1.1, 3) + uniform(-0.06, 0.06)
    x = torch.where(uniform(0, 1) < 0.25, _blurred(x), x)
    return (x + torch.randn_like(x) * uniform(0, 0.03)).clamp_(0, 1)


def _blurred(images: torch.Tensor) -> torch.Tensor:
    line = torch.arange(-3.0, 4.0, device=images.device)
    sigma = 0.4 + 1.2 * torch.rand((), device=images.device)
    bell = torch.exp(-(line**2) / (2 * sigma**2))
    bell = bell / bell.sum()
    for shape in ((1, 1, 7, 1), (1, 1, 1, 7)):
        pad = (3 * (shape[3] > 1),) * 2 + (3 * (shape[2] > 1),) * 2
        padded = F.pad(images, pad, mode="replicate")
        images = F.conv2d(padded, bell.view(shape).expand(3, -1, -1, -1), groups=3)
    return images


class Mixture:
    """Endless batches of `size`, so many of each set: (set, count)."""

    def __init__(self, sets: Sequence[tuple[Set, int]], size: tuple[int, int]):
        self.sets, self.size = sets, size

    def draw(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images as they are and relit, each float32 [B, 3, h, w], and rows int64 [B, h, w]."""
        images, rows = zip(*(s.draw(n, self.size) for s, n in self.sets), strict=True)
        # Spread over the batch, so that neighbours are of other sets.
        order = torch.randperm(sum(n for _, n in self.sets), device=images[0].device)
        plain, rows = paste(torch.cat(images)[order], torch.cat(rows)[order])
        return plain, relight(plain), rows
