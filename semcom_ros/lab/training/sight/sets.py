# SPDX-License-Identifier: Apache-2.0
"""The sets that the eyes learn from, on a device, and the frames that score them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from semcom_ros.datasets import open_source
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training.sight.augment import Mixture, Set
from semcom_ros.lab.training.sight.pack import Frames, read_pack
from semcom_ros.lab.training.sight.rows import CAMVID, DRIVE, ROWS, rows_of
from semcom_ros.perception.segmentation import Segmenter

TOWNS, HELD_OUT = range(100, 400), range(1, 4)
"""Towns of the procedural drive that are learnt from, and those that score."""
STEP = 20
"""Frames of a drive between two that are taken."""
LUMPED = {"camvid": CAMVID, "kitti": (), "drive": DRIVE}
CROP = (256, 448)


def render_drive(frames: int, seeds: Sequence[int], processes: int) -> Frames:
    """`frames` frames of the procedural drive, spread over the towns `seeds`."""
    share, more = divmod(frames, len(seeds))
    counts = [share + (i < more) for i in range(len(seeds))]
    # Spawned, not forked: OpenCV's and torch's threads do not survive a fork.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,)
    ) as pool:
        towns = list(pool.map(_render_town, seeds, counts))
    return Frames(*(np.concatenate(parts) for parts in zip(*towns, strict=True) if len(parts[0])))


def _render_town(seed: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    source = open_source(f"scenes:{seed}")
    drawn = [fit(source[i * STEP]) for i in range(frames)]
    size = (0, 256, 512)
    images = np.stack([f.image for f in drawn]) if drawn else np.empty((*size, 3), np.uint8)
    labels = np.stack([f.labels for f in drawn]) if drawn else np.empty(size, np.uint8)
    return images, labels


class Sets:
    """All of them: those in the folder `pack`, and `frames` of the procedural drive."""

    def __init__(self, pack: Path, frames: int, processes: int, device: str):
        self.device = device
        self.frames = {**read_pack(pack), "drive": render_drive(frames, TOWNS, processes)}
        self._rows = {
            name: rows_of(self.frames[name].labels, lumped) for name, lumped in LUMPED.items()
        }
        self._sets: dict[str, Set] = {}

    def mixture(self, shares: Mapping[str, int], batch: int) -> Mixture:
        """Batches of `batch` windows, of the sets named in the proportion of `shares`."""
        counts = split(batch, list(shares.values()))
        for name in shares:
            if name not in self._sets:
                rows = self._rows.get(name)
                self._sets[name] = Set(self.frames[name], rows, self.device)
        return Mixture([(self._sets[n], c) for n, c in zip(shares, counts, strict=True) if c], CROP)

    def pixel_shares(self, shares: Mapping[str, int]) -> np.ndarray:
        """The part of each row in the labelled pixels of such a mixture, float64 [ROWS]."""
        total = np.zeros(ROWS)
        for name, share in shares.items():
            if name in self._rows:
                counts = np.bincount(self._rows[name].ravel(), minlength=256)[:ROWS]
                total += share * counts / counts.sum()
        return total / total.sum()

    @cached_property
    def held_out(self) -> dict[str, list[Frame]]:
        """Fitted frames that nothing is learnt from."""
        kitti = self.frames["kitti_held"]
        drives = [open_source(f"scenes:{seed}") for seed in HELD_OUT]
        return {
            "kitti": [
                fit(Frame(i, labels)) for i, labels in zip(kitti.images, kitti.labels, strict=True)
            ],
            "drive": [fit(drive[k]) for drive in drives for k in range(0, 300, 37)],
        }


def split(total: int, shares: Sequence[int]) -> list[int]:
    """Whole parts of `total` in the proportion of `shares`."""
    edges = np.round(np.cumsum([0, *shares]) / sum(shares) * total).astype(int)
    return np.diff(edges).tolist()


def score(segmenter: Segmenter, held_out: Mapping[str, Sequence[Frame]]) -> dict[str, float]:
    """mIoU by set over the classes with pixels, and KITTI's by class."""
    scores = {}
    for name, frames in held_out.items():
        confusion = ConfusionMatrix()
        for frame, labels in zip(frames, segmenter([f.image for f in frames]), strict=True):
            confusion.add(frame.labels, labels)
        scores[f"{name} miou"] = confusion.miou()
        if name == "kitti":
            scores |= confusion.iou()
    return {name: round(value, 4) for name, value in scores.items()}
