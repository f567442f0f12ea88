# SPDX-License-Identifier: Apache-2.0
"""Frames that live on a device and are cropped, turned, lit and mixed there, a batch at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from semcom_ros.frame import WORK_SIZE, fit_window
from semcom_ros.lab.training.data import Samples

ZOOM = (math.log(0.6), math.log(1.9))
"""Logarithms of the scale of work, at which a frame fitted to `WORK_SIZE` is seen."""
TURN, SHAPE = math.radians(4), 0.1
"""Most radians a window is turned, and logarithm of its shape's change."""
PASTED = 0.4
"""Part of the frames into which things of another are pasted."""
PLACES = 16
"""Pixels of a label in a frame about which windows are drawn that seek it, where the frame has
more than `SPECKS` of it in every second line and column."""
SPECKS = 10


class Windows:
    """Frames on `device`; frames with rare labels are drawn more often.

    samples: images, and labels in rows below `kinds` or void. seek: part of the windows that lie
    about a pixel of some label, of a rare one more often.
    """

    def __init__(self, samples: Samples, kinds: int, device: str, seek: float = 0.0):
        self.images = torch.from_numpy(samples.images).to(device)
        # Void becomes 0, which is also what lies outside a frame.
        self.rows = torch.from_numpy(samples.labels + np.uint8(1)).to(device)
        self.scale = WORK_SIZE[1] / fit_window(*samples.labels.shape[1:]).width
        self.odds = torch.from_numpy(_odds(samples.labels, kinds)).to(device)
        found = _places(samples.labels, kinds) if seek else []
        places = torch.tensor(found, dtype=torch.float32, device=device).reshape(-1, 4)
        # Frame, line and column from its middle; odds.
        self.places, self.place_odds = places[:, :3], places[:, 3].contiguous()
        self.seek = seek if found else 0.0

    def draw(self, count: int, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Random windows: images float32 [B, 3, h, w] in 0..1, rows int64 [B, h, w], 255 void."""
        chosen, about = self._chosen(count)
        images = self.images[chosen].permute(0, 3, 1, 2).float() / 255
        rows = self.rows[chosen][:, None].float()
        grid = self._windows(size, about)
        seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        labels = F.grid_sample(rows, grid, mode="nearest", align_corners=False)[:, 0]
        return seen.clamp_(0, 1), (labels.long() - 1) % 256

    def _chosen(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames [B], and lines and columns [B, 2] that their windows seek; NaN: they seek none."""
        device = self.images.device
        chosen = torch.multinomial(self.odds, count, replacement=True)
        about = torch.full((count, 2), torch.nan, device=device)
        if self.seek:
            place = self.places[torch.multinomial(self.place_odds, count, replacement=True)]
            sought = torch.rand(count, device=device) < self.seek
            chosen = torch.where(sought, place[:, 0].long(), chosen)
            about = torch.where(sought[:, None], place[:, 1:], about)
        return chosen, about

    def _windows(self, size: tuple[int, int], about: torch.Tensor) -> torch.Tensor:
        """A sampling grid [B, h, w, 2] in -1..1 of the frames."""
        (height, width), count, device = self.rows.shape[1:], len(about), about.device
        zoom = self.scale * uniform(device, *ZOOM, count).exp()
        shape = uniform(device, -SHAPE, SHAPE, count).exp()
        turn = uniform(device, -TURN, TURN, count)
        flip = (torch.rand(count, device=device) < 0.5) * 2.0 - 1
        # Half a window and half a frame, in pixels of the frame; what is left is where it may lie.
        across, down = size[1] / 2 / (zoom * shape), size[0] / 2 / (zoom / shape)
        y, x = (
            _middles(extent / 2 - half, half, sought)
            for extent, half, sought in zip((height, width), (down, across), about.T, strict=True)
        )
        v, u = torch.meshgrid(
            *(torch.linspace(-1 + 1 / n, 1 - 1 / n, n, device=device) for n in size), indexing="ij"
        )
        u, v = (u * (flip * across)[:, None, None], v * down[:, None, None])
        cos, sin = turn.cos()[:, None, None], turn.sin()[:, None, None]
        columns = (u * cos - v * sin + x[:, None, None]) / (width / 2)
        lines = (u * sin + v * cos + y[:, None, None]) / (height / 2)
        return torch.stack([columns, lines], -1)


def _middles(room: torch.Tensor, half: torch.Tensor, sought: torch.Tensor) -> torch.Tensor:
    """Middles of windows that reach `half` to either side, at most `room` from that of their frame:
    anywhere, or so that what they seek is inside."""
    count, most = len(half), room.abs()
    near = sought + half * uniform(half.device, -0.9, 0.9, count)
    anywhere = most * uniform(half.device, -1, 1, count)
    return torch.where(sought.isnan(), anywhere, near.clamp(-most, most))


def _places(rows: np.ndarray, kinds: int) -> list[tuple[float, ...]]:
    """Frame, line and column from its middle, of some pixels of each label in each frame; and how
    often to seek them: all of a label by the cube root of how rare it is, and in all frames alike.
    """
    thin = rows[:, ::2, ::2]
    shares = np.bincount(thin.ravel(), minlength=256)[:kinds] / thin.size
    rng, found = np.random.default_rng(0), []
    for kind in np.flatnonzero(shares):
        seen = [(i, np.argwhere(row == kind)) for i, row in enumerate(thin)]
        seen = [(i, pixels) for i, pixels in seen if len(pixels) > SPECKS]
        for i, pixels in seen:
            some = rng.choice(pixels, PLACES)
            middle = 2 * some - np.array(rows.shape[1:]) / 2
            odds = shares[kind] ** (-1 / 3) / len(seen)
            found += [(i, *place, odds) for place in middle.tolist()]
    return found


def uniform(device: str | torch.device, low: float, high: float, *shape: int) -> torch.Tensor:
    """Random numbers, evenly spread, float32 of `shape`."""
    return torch.rand(shape, device=device) * (high - low) + low


def _odds(rows: np.ndarray, kinds: int) -> np.ndarray:
    """How often to draw each frame: by the rarest of its labels, at most four times as often."""
    counts = np.stack([np.bincount(r.ravel(), minlength=256)[:kinds] for r in rows]).astype(float)
    present = counts > 100
    if not present.any():
        return np.ones(len(rows), np.float32)
    frames_with = np.maximum(present.sum(0), 1) / len(rows)
    rarest = np.where(present, frames_with, 1).min(1)
    return np.minimum(rarest**-0.5, 4).astype(np.float32)


def paste(
    images: torch.Tensor, rows: torch.Tensor, pasteable: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Into some of the frames half of the rows `pasteable` of their neighbour in the batch.

    Source: Olsson et al., "ClassMix", WACV 2021, with true labels.
    """
    count, device = len(images), images.device
    chosen = torch.rand(count, 256, device=device) < _halves(tuple(pasteable), device)
    chosen &= torch.rand(count, 1, device=device) < PASTED
    other = torch.arange(count, device=device).roll(count // 2 + 1)
    where = chosen.gather(1, rows[other].flatten(1)).view_as(rows)
    return (
        torch.where(where[:, None], images[other], images),
        torch.where(where, rows[other], rows),
    )


@lru_cache(32)
def _halves(rows: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """float32 [256]: .5 for `rows`, else 0."""
    odds = torch.zeros(256)
    odds[list(rows)] = 0.5
    return odds.to(device)


def light(
    count: int,
    gain: tuple[float, float],
    tint: tuple[float, float],
    offset: float,
    device: str | torch.device,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Factors [count, 3, 1, 1] and summands [count, 1, 1, 1] of another light, for pixels in 0..1:
    of all colours, of each, and what is added at most."""
    factor = uniform(device, *gain, count, 1, 1, 1) * uniform(device, *tint, count, 3, 1, 1)
    return factor, uniform(device, -offset, offset, count, 1, 1, 1)


def relight(images: torch.Tensor) -> torch.Tensor:
    """Images [B, 3, h, w] in 0..1 in other light and colour, with noise, some out of focus."""
    count, device = len(images), images.device

    def each(low: float, high: float) -> torch.Tensor:
        return uniform(device, low, high, count, 1, 1, 1)

    grey = images.mean(1, keepdim=True)
    x = grey + (images - grey) * each(0.3, 1.6) * (each(0, 1) > 0.08)
    x = x.clamp(1e-3, 1) ** each(-0.4, 0.4).exp()
    middle = x.mean((1, 2, 3), keepdim=True)
    x = (x - middle) * each(0.65, 1.35) + middle * each(0.7, 1.3)
    factor, summand = light(count, (1, 1), (0.9, 1.1), 0.06, device)
    x = x * factor + summand
    x = torch.where(each(0, 1) < 0.25, _blurred(x), x)
    return (x + torch.randn_like(x) * each(0, 0.03)).clamp_(0, 1)


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


class WindowBatches(Dataset):
    """Batches of windows of `size`, so many of each set: (set, count); which, torch's random
    numbers say, whose state a run that resumes goes on with; relit: in other light, too."""

    def __init__(
        self,
        sets: Sequence[tuple[Windows, int]],
        size: tuple[int, int],
        pasteable: Sequence[int],
        relit: bool = True,
    ):
        self.sets, self.size, self.pasteable, self.relit = sets, size, pasteable, relit

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Images as they are and relit, each float32 [B, 3, h, w], and rows int64 [B, h, w]."""
        drawn = (windows.draw(count, self.size) for windows, count in self.sets)
        images, rows = map(torch.cat, zip(*drawn, strict=True))
        # Spread over the batch, so that neighbours are of other sets.
        order = torch.randperm(len(images), device=images.device)
        plain, rows = paste(images[order], rows[order], self.pasteable)
        return plain, relight(plain) if self.relit else plain, rows
