# SPDX-License-Identifier: Apache-2.0
"""Training samples: CamVid and the procedural drive in memory, cropped and augmented."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from semcom_ros.datasets import open_source
from semcom_ros.datasets.stills import CLASS_NAMES
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, fit
from semcom_ros.labels import TRAIN_ID, VOID, fold

CAMVID_CLASSES = tuple(sorted(TRAIN_ID[name] for name in CLASS_NAMES))
"""trainIds of the eleven classes that CamVid's labels know."""
Made = TypeVar("Made")


@dataclass(frozen=True)
class Samples:
    """Images uint8 [N, H, W, 3] RGB and labels uint8 [N, H, W] trainId, at one size."""

    images: np.ndarray
    labels: np.ndarray


Sets = list[tuple[Samples, float]]
"""Samples, each set with its share of what is drawn."""


def read_camvid(root: Path, split: str, size: tuple[int, int] | None = None) -> Samples:
    """All frames of a CamVid split; whole 360x480 frames, or fitted to `size` (H, W)."""
    source = open_source(f"camvid:{root}", split)
    frames = [source[i] for i in range(len(source))]
    if any(frame.labels is None for frame in frames):
        raise SemcomError(f"Some frames of {root}, {split}, have no label file: recipes need all.")
    if size is not None:
        frames = [fit(f, size) for f in frames]
    return Samples(np.stack([f.image for f in frames]), np.stack([f.labels for f in frames]))


def render_scenes(frames: int, seeds: range, step: int = 7) -> Samples:
    """`frames` frames of the procedural drive, spread over towns `seeds`, `step` frames apart."""
    sources = [open_source(f"scenes:{seed}") for seed in seeds]
    picked = [
        fit(sources[i % len(sources)][(i // len(sources)) * step], WORK_SIZE) for i in range(frames)
    ]
    return Samples(np.stack([f.image for f in picked]), np.stack([f.labels for f in picked]))


def with_estimates(sets: Sets, estimate: Callable[[Sequence[np.ndarray]], np.ndarray]) -> Sets:
    """Every set twice, for half of its share each: its true maps, their void filled by the
    estimate, and estimated maps, as those that vehicles send are.

    The estimates of training frames are better than those of new streets, and trained on them alone
    a network would trust them too much.
    estimate: labels uint8 [B, H, W] trainId of images uint8 [B, H, W, 3] RGB.
    """
    both = []
    for samples, share in sets:
        estimated = estimate(samples.images)
        filled = np.where(samples.labels == VOID, estimated, samples.labels)
        both += [(Samples(samples.images, maps), share / 2) for maps in (filled, estimated)]
    return both


def class_indices(classes: tuple[int, ...] = CAMVID_CLASSES) -> np.ndarray:
    """Lookup table uint8 [256]: trainId -> place of itself or its superclass in `classes`, 255."""
    table = np.full(256, VOID, np.uint8)
    table[list(classes)] = np.arange(len(classes))
    return np.where(table == VOID, table[fold(np.arange(256))], table)


def class_weights(labels: np.ndarray, classes: tuple[int, ...], power: float) -> np.ndarray:
    """Loss weights float32 [classes]: frequency**-power in `labels`; the mean of a pixel is 1."""
    counts = np.bincount(labels.ravel(), minlength=256)[list(classes)].astype(np.float64)
    frequency = np.maximum(counts / counts.sum(), 1e-4)
    weights = frequency**-power
    return (weights / (weights * frequency).sum()).astype(np.float32)


def augment(
    image: np.ndarray,
    labels: np.ndarray,
    size: tuple[int, int],
    zoom: tuple[float, float],
    rng: np.random.Generator,
    jitter: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """A random window of a frame, flipped half the time, at `size` (H, W) after scaling by `zoom`.

    zoom 1 is the scale of work (a frame as wide as `WORK_SIZE`). Where the window is larger than
    the frame the rest is void. `jitter` varies brightness, contrast and colour.
    """
    height, width = labels.shape
    base = WORK_SIZE[1] / width
    scale = base * np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1])))
    span_x, span_y = width * scale - size[1], height * scale - size[0]
    dx = rng.uniform(min(span_x, 0), max(span_x, 0))
    dy = rng.uniform(min(span_y, 0), max(span_y, 0))
    flip = rng.random() < 0.5
    sx = -scale if flip else scale
    tx = width * scale - 1 - dx if flip else -dx
    matrix = np.array([[sx, 0, tx], [0, scale, -dy]])
    to = (size[1], size[0])
    image = cv2.warpAffine(
        image, matrix, to, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    labels = cv2.warpAffine(labels, matrix, to, flags=cv2.INTER_NEAREST, borderValue=VOID)
    if jitter:
        gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
        offset = rng.uniform(-25, 25)
        table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
        image = cv2.LUT(image, table.reshape(1, 256, 3))
    return image, labels


class Batches:
    """Endless batches of augmented samples, drawn from several sets by share, made in threads.

    Yields images uint8 [B, h, w, 3] and labels uint8 [B, h, w] trainId; the same for one seed.
    """

    def __init__(
        self,
        sets: Sets,
        batch: int,
        size: tuple[int, int],
        zoom: tuple[float, float],
        seed: int,
        jitter: bool = True,
    ):
        self.sets, self.batch, self.size, self.zoom = sets, batch, size, zoom
        self.seed, self.jitter = seed, jitter

    def _make(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, index))
        shares = np.array([share for _, share in self.sets])
        images = np.empty((self.batch, *self.size, 3), np.uint8)
        labels = np.empty((self.batch, *self.size), np.uint8)
        for k in range(self.batch):
            samples = self.sets[rng.choice(len(shares), p=shares / shares.sum())][0]
            i = rng.integers(len(samples.images))
            images[k], labels[k] = augment(
                samples.images[i], samples.labels[i], self.size, self.zoom, rng, self.jitter
            )
        return images, labels

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with ThreadPoolExecutor(1) as pool:
            ahead = deque(pool.submit(self._make, i) for i in range(4))
            for i in itertools.count(4):
                ahead.append(pool.submit(self._make, i))
                yield ahead.popleft().result()


def one_ahead(
    make: Callable[[np.ndarray, np.ndarray], Made],
    frames: Iterable[tuple[np.ndarray, np.ndarray]],
) -> Iterator[Made]:
    """What `make` gives of each of `frames` but the last, made one ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        frames = iter(frames)
        coming = pool.submit(make, *next(frames))
        for images, labels in frames:
            ready = coming.result()
            coming = pool.submit(make, images, labels)
            yield ready
