# SPDX-License-Identifier: Apache-2.0
"""Training samples: CamVid and the procedural drive in memory, drawn, cropped and augmented."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from torch.utils.data import Dataset, default_collate

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame, fit
from semcom_ros.label_spaces import CAMVID_NAMES
from semcom_ros.labels import TRAIN_ID, VOID, fold

CAMVID_CLASSES = tuple(sorted(TRAIN_ID[name] for name in CAMVID_NAMES))
"""trainIds of the eleven classes that CamVid's labels know."""
Made = TypeVar("Made")
MANY = 50
"""Frames of the drive that are worth a process a core to render."""


@dataclass(frozen=True)
class Samples:
    """Images uint8 [N, H, W, 3] RGB and labels uint8 [N, H, W] trainId, at one size."""

    images: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, frames: Iterable[tuple[np.ndarray, np.ndarray]]) -> Samples:
        """Of the image and the labels of each frame."""
        images, labels = zip(*frames, strict=True)
        return cls(np.stack(images), np.stack(labels))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, at: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.images[at], self.labels[at]


Sets = list[tuple[Sequence, float]]
"""Samples of one kind, each set with its share of what is drawn."""


def read_camvid(root: Path, split: str, size: tuple[int, int] | None = None) -> Samples:
    """All frames of a CamVid split; whole 360x480 frames, or fitted to `size` (H, W)."""
    source = open_source(f"camvid:{root}", split)
    frames = [source[i] for i in range(len(source))]
    if any(frame.labels is None for frame in frames):
        raise SemcomError(f"Some frames of {root}, {split}, have no label file: recipes need all.")
    return Samples.of(pixels_of(f if size is None else fit(f, size)) for f in frames)


def pixels_of(frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Its image and its labels."""
    return frame.image, frame.labels


def render_drive(
    frames: int,
    towns: range,
    step: int,
    make: Callable[[Frame], Made] = pixels_of,
    truth: bool = False,
    first: int = 0,
) -> list[Made]:
    """What `make` makes of `frames` fitted frames of the procedural drive, every `step`th frame of
    each of `towns` in turn, from its `first` on; truth: with depth and objects. Many are made by a
    process a core."""
    counts = [len(range(at, frames, len(towns))) for at in range(len(towns))]
    render = partial(_render_town, step=step, make=make, truth=truth, first=first)
    if frames > MANY:
        # Spawned, not forked: OpenCV's and torch's threads do not survive a fork.
        with ProcessPoolExecutor(
            mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
        ) as pool:
            found = list(pool.map(render, towns, counts))
    else:
        found = list(map(render, towns, counts))
    return [found[i % len(towns)][i // len(towns)] for i in range(frames)]


def _render_town(
    town: int, count: int, step: int, make: Callable[[Frame], Made], truth: bool, first: int
) -> list[Made]:
    if not count:
        # A town takes a while to build.
        return []
    source = open_source(f"scenes:{town}", truth=truth)
    return [make(fit(source[first + i * step])) for i in range(count)]


def render_scenes(frames: int, towns: range, step: int = 7) -> Samples:
    """Images and labels of `frames` frames of the procedural drive, spread over `towns`."""
    return Samples.of(render_drive(frames, towns, step))


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
    sample: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
    size: tuple[int, int] = WORK_SIZE,
    zoom: tuple[float, float] = (1.0, 1.25),
    jitter: bool = False,
    turn: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A random window of an image and its labels, flipped half the time, at `size` (H, W) after
    scaling by `zoom`.

    zoom 1 is the scale of work (a frame as wide as `WORK_SIZE`). Where the window is larger than
    the frame the rest is void. `jitter` varies brightness, contrast and colour. turn: degrees by
    which the window is turned at most, half the time.
    """
    image, labels = sample
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
    if turn and rng.random() < 0.5:
        centre = (size[1] / 2, size[0] / 2)
        turned = cv2.getRotationMatrix2D(centre, rng.uniform(-turn, turn), 1)
        matrix = turned @ np.vstack([matrix, [0, 0, 1]])
    to = (size[1], size[0])
    image = cv2.warpAffine(
        image, matrix, to, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    labels = cv2.warpAffine(labels, matrix, to, flags=cv2.INTER_NEAREST, borderValue=VOID)
    return (expose(image, rng) if jitter else image), labels


def expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`image` uint8 [H, W, 3] in other light: brightness, contrast and colour."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
    table = np.clip(np.arange(256)[:, None] * gain + rng.uniform(-25, 25), 0, 255)
    return cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3))


class Batches(Dataset):
    """Batches of samples, drawn from several sets by share.

    Batch i depends on `seed` and i alone, whatever process makes it: a run that resumes goes on as
    if it had never stopped. augment: a sample as drawn -> as it is learned from. collate: a list of
    those -> the batch, tensors in tuples, lists or dictionaries.
    """

    def __init__(
        self,
        sets: Sets,
        batch: int,
        seed: int,
        augment: Callable[[Any, np.random.Generator], Any],
        collate: Callable[[list, np.random.Generator], Any] = lambda drawn, _: default_collate(
            drawn
        ),
    ):
        self.sets, self.batch, self.seed = sets, batch, seed
        self.augment, self.collate = augment, collate

    def __getitem__(self, index: int) -> Any:
        rng = np.random.default_rng((self.seed, index))
        shares = np.array([share for _, share in self.sets])
        drawn = []
        for _ in range(self.batch):
            samples = self.sets[rng.choice(len(shares), p=shares / shares.sum())][0]
            drawn.append(self.augment(samples[rng.integers(len(samples))], rng))
        return self.collate(drawn, rng)
