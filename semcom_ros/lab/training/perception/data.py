# SPDX-License-Identifier: Apache-2.0
"""What the perception network learns from: frames with all truth, augmented, in batches."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import NamedTuple

import cv2
import numpy as np
import torch

from semcom_ros.datasets.scenes import Drive
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import Boxes, boxes_of
from semcom_ros.lab.training.perception.box_targets import BoxTargets, draw
from semcom_ros.labels import CLASSES, NAMES, SUPERCLASS, TRAIN_ID, VOID
from semcom_ros.perception.networks import STRIDE

SEGMENTED = tuple(name for name in NAMES if name not in ("wall", "terrain", "train", "motorcycle"))
"""The classes that the procedural drive knows, in the order of the network's outputs."""
DETECTED = tuple(name for name in SEGMENTED if CLASSES[TRAIN_ID[name]].thing)
"""Those of the things among them."""
_MEMBERS = {
    name: [
        name,
        *(
            other
            for other, superclass in SUPERCLASS.items()
            if superclass == name and other in SEGMENTED
        ),
    ]
    for name in SEGMENTED
}
COARSE = tuple(
    tuple(map(SEGMENTED.index, superclass))
    for superclass in _MEMBERS.values()
    if len(superclass) > 1
)
"""What CamVid's labels do not tell apart, such as cars, trucks and buses: places in `SEGMENTED`."""
_EXACT = np.full(256, VOID, np.uint8)
_EXACT[[TRAIN_ID[name] for name in SEGMENTED]] = np.arange(len(SEGMENTED))
_COARSE = _EXACT.copy()
for _row, _group in enumerate(COARSE, len(SEGMENTED)):
    _COARSE[TRAIN_ID[SEGMENTED[_group[0]]]] = _row
ZOOM = 1.35
"""Windows of a frame are enlarged up to so much."""
BLUR = (0.4, 1.8)
"""Standard deviation of the blur in pixels."""


@dataclass(frozen=True)
class Sample:
    """One frame to learn from.

    image: uint8 [H, W, 3] RGB. labels: uint8 [H, W], places in `SEGMENTED`, from its end on those
    in `COARSE`, `VOID` unknown. depth: float16 [H, W] metres, NaN unknown, or None. boxes: its
    objects.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray | None
    boxes: Boxes


def sample_of(frame: Frame) -> Sample:
    """The sample of a fitted frame with labels."""
    exact = frame.objects is not None
    depth = None if frame.depth is None else frame.depth.astype(np.float16)
    labels = (_EXACT if exact else _COARSE)[frame.labels]
    return Sample(frame.image, labels, depth, boxes_of(frame, DETECTED))


def render_drives(frames: int, seeds: range, step: int = 20) -> list[Sample]:
    """`frames` frames of the procedural drive, spread over towns `seeds`, `step` frames apart.

    A process a core: rendering with all truth takes some 45 ms a frame.
    """
    share, more = divmod(frames, len(seeds))
    places = [range(0, (share + (i < more)) * step, step) for i in range(len(seeds))]
    # Spawned, not forked: OpenCV's and torch's threads do not survive a fork.
    with ProcessPoolExecutor(
        mp_context=get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        return [sample for town in pool.map(_render_town, seeds, places) for sample in town]


def _render_town(seed: int, indices: range) -> list[Sample]:
    drive = Drive(seed)
    return [sample_of(drive.render(i, truth=True)) for i in indices]


class Batch(NamedTuple):
    """Samples side by side: images uint8 [B, H, W, 3], labels uint8 [B, H, W] as in `Sample`,
    depth float32 [B, H, W] metres (NaN: no loss), and the targets of the boxes, each [B, ...].
    """

    images: np.ndarray
    labels: torch.Tensor
    depth: torch.Tensor
    boxes: BoxTargets


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """A random window of `sample` at its own size, flipped half the time; light and focus vary.

    Enlarging by s is what a camera of s times the focal length sees. The network answers for one
    focal length, so the depth is divided by s.
    """
    height, width = sample.labels.shape
    scale = rng.uniform(1.0, ZOOM) if rng.random() < 0.4 else 1.0
    dx, dy = rng.uniform(0, 1, 2) * (scale - 1) * (width, height)
    flip = rng.random() < 0.5
    # A pixel's centre lies at its integer coordinate, so the frame begins at -0.5.
    half = (scale - 1) / 2
    across = [-scale, 0, width * scale - dx - half - 1] if flip else [scale, 0, half - dx]
    matrix = np.array([across, [0, scale, half - dy]])

    def warp(pixels: np.ndarray, how: int) -> np.ndarray:
        return cv2.warpAffine(
            pixels, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE
        )

    depth = sample.depth
    if depth is not None:
        depth = warp(depth.astype(np.float32), cv2.INTER_NEAREST) / scale
    return replace(
        sample,
        image=_expose(warp(sample.image, cv2.INTER_LINEAR), rng),
        labels=warp(sample.labels, cv2.INTER_NEAREST),
        depth=depth,
        boxes=sample.boxes.moved(scale, dx, dy, flip, (height, width)),
    )


def _expose(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """`image` in other light, and now and then out of focus."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
    table = np.clip(np.arange(256)[:, None] * gain + rng.uniform(-25, 25), 0, 255)
    image = cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR))
    return image


def _targets(sample: Sample) -> BoxTargets:
    """The targets of the boxes; what a coarse label may be is not forbidden to its superclass."""
    targets = draw(sample.boxes, len(DETECTED), sample.labels.shape)
    for row, group in enumerate(COARSE, len(SEGMENTED)):
        cells = sample.labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        for other in group[1:]:
            targets.counted[DETECTED.index(SEGMENTED[other])] *= cells != row
    return targets


class Batches:
    """Endless batches drawn from several sets by share, made in a thread ahead of their use.

    The same for one seed.
    """

    def __init__(self, sets: list[tuple[list[Sample], float]], batch: int, seed: int):
        self.sets, self.batch, self.seed = sets, batch, seed

    def _make(self, index: int) -> Batch:
        rng = np.random.default_rng((self.seed, index))
        shares = np.array([share for _, share in self.sets])
        samples = []
        for _ in range(self.batch):
            drawn = self.sets[rng.choice(len(shares), p=shares / shares.sum())][0]
            samples.append(augment(drawn[rng.integers(len(drawn))], rng))
        unknown = np.full(samples[0].labels.shape, np.nan, np.float32)
        depth = [unknown if s.depth is None else s.depth for s in samples]
        targets = [_targets(s) for s in samples]
        return Batch(
            np.stack([s.image for s in samples]),
            torch.from_numpy(np.stack([s.labels for s in samples])),
            torch.from_numpy(np.stack(depth)),
            BoxTargets(*(torch.from_numpy(np.stack(t)) for t in zip(*targets, strict=True))),
        )

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(1) as pool:
            ahead = deque(pool.submit(self._make, i) for i in range(4))
            for i in itertools.count(4):
                ahead.append(pool.submit(self._make, i))
                yield ahead.popleft().result()
