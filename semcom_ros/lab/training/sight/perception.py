# SPDX-License-Identifier: Apache-2.0
"""The stage of the RSU's perception network: on from its weights, with the teacher's labels, on
originals and on images that an RSU regenerated."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from semcom_ros import weights
from semcom_ros.datasets.scenes.drive import CAMERA
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit
from semcom_ros.lab.ground_truth import boxes_of, frames_with_truth
from semcom_ros.lab.metrics.perception_scores import LOWEST
from semcom_ros.lab.training.data import Batches
from semcom_ros.lab.training.perception.box_targets import BoxTargets
from semcom_ros.lab.training.perception.data import (
    DETECTED,
    SEGMENTED,
    PerceptionBatch,
    Sample,
    augment,
    collate,
)
from semcom_ros.lab.training.perception.losses import losses
from semcom_ros.lab.training.perception.training import (
    HELD_OUT,
    balance_of,
    go_on_from,
    score_frames,
)
from semcom_ros.lab.training.recipe import origin
from semcom_ros.lab.training.sight.pack import Frames
from semcom_ros.lab.training.sight.teacher import Teacher
from semcom_ros.lab.training.sight.timed import Learner, Plan, train
from semcom_ros.labels import LABEL_SPACE, NAMES, SUPERCLASS, TRAIN_ID, VOID
from semcom_ros.perception.networks import BRANCHES, FINE, WIDTHS, PerceptionNetwork
from semcom_ros.perception.perceive import FILE, Perception


@dataclass(frozen=True)
class Options:
    """start: weights to go on from. regenerated: folder of `with_regenerated`'s files, or None.
    out: folder for the result."""

    start: Path
    regenerated: Path | None
    out: Path
    device: str
    processes: int
    seed: int
    batch: int | None


SHARES = {"drive": 0.5, "camvid": 0.35, "kitti": 0.15}
"""Of the sets in a batch."""
RATE, BATCH = 5e-4, 32
REGENERATED = 0.5
"""Part of the batch that is seen as an RSU regenerated it, of the sets where that is known."""
_PLACES = np.full(256, VOID, np.uint8)
_PLACES[: len(NAMES)] = [
    SEGMENTED.index(name if name in SEGMENTED else SUPERCLASS[name]) for name in NAMES
]


def train_perception(
    frames: dict[str, Frames], drives: list[Sample], teacher: Teacher, plan: Plan, a: Options
) -> int:
    """Train on from `a.start` by the clock, write weights and card; returns the updates.

    frames: camvid and kitti of the pack. drives: the procedural drive with all truth.
    """
    samples = {
        "drive": drives,
        "camvid": _exact_samples(_fitted(frames["camvid"]), teacher),
        "kitti": _exact_samples(_fitted(frames["kitti"]), None),
    }
    sets = []
    for name, share in SHARES.items():
        path = a.regenerated / f"{name}.npy" if a.regenerated else None
        twice = path is not None and path.is_file()
        sets.append((samples[name], share * (1 - REGENERATED * twice)))
        if twice:
            sets.append((with_regenerated(samples[name], path), share * REGENERATED))
    network = PerceptionNetwork(len(SEGMENTED), len(DETECTED))
    go_on_from(a.start, network)
    learner = Learner(network, None, a.device)
    batch = a.batch or BATCH
    lessons = Lessons(learner.network, sets, batch, a.device, a.processes, a.seed)
    updates = train(learner, lessons, plan)
    card = {
        "what": "perception network: labels, boxes and depth",
        "label_space": LABEL_SPACE,
        "classes": list(SEGMENTED),
        "detected": list(DETECTED),
        "widths": list(WIDTHS),
        "branches": list(BRANCHES),
        "fine": FINE,
        "focal": CAMERA.fx,
        "data": f"{len(drives)} frames of the procedural drive, CamVid train (367 frames) told "
        "apart by a teacher, KITTI semantics (136 frames, CC BY-NC-SA 3.0: not for commercial use)"
        + (", originals and regenerated" if a.regenerated else ""),
        "recipe": f"semcom train sight --stages perception: {updates} updates of {batch} frames",
        **origin(a.start, "perception"),
    }
    tensors = weights.tensors_of(learner.average)
    # A lent machine may lack what scores boxes, or its time may end.
    weights.save(a.out / FILE, tensors, card)
    if find_spec("pycocotools") is not None:
        weights.save(a.out / FILE, tensors, {**card, "scores": _scores(learner.average, a.device)})
    return updates


def _scores(network: PerceptionNetwork, device: str) -> dict:
    towns = [f for s in HELD_OUT for f in frames_with_truth(f"scenes:{s}", "", range(0, 300, 15))]
    classes = [TRAIN_ID[name] for name in SEGMENTED]
    seen = score_frames(Perception(network, classes, DETECTED, CAMERA.fx, device, LOWEST), towns)
    on = f"procedural drive, seeds {HELD_OUT}, {len(towns)} frames; none chose"
    return {"on": on, **{name: round(value, 4) for name, value in seen.items()}}


def _fitted(frames: Frames) -> list[Frame]:
    pairs = zip(frames.images, frames.labels, strict=True)
    return [fit(Frame(image, labels)) for image, labels in pairs]


def _exact_samples(frames: list[Frame], teacher: Teacher | None) -> list[Sample]:
    if teacher is not None:
        told = teacher.tell_apart(frames)
        frames = [replace(f, labels=labels) for f, labels in zip(frames, told, strict=True)]
    return [sample_of_labels(frame) for frame in frames]


def sample_of_labels(frame: Frame) -> Sample:
    """The sample of a fitted frame whose labels are exact; its objects are their regions."""
    labels = frame.labels
    for name, superclass in SUPERCLASS.items():
        if name not in SEGMENTED:
            labels = np.where(labels == TRAIN_ID[name], np.uint8(TRAIN_ID[superclass]), labels)
    return Sample(
        frame.image, _PLACES[labels], None, boxes_of(replace(frame, labels=labels), DETECTED)
    )


def with_regenerated(samples: Sequence[Sample], path: Path) -> list[Sample]:
    """`samples` with the images in `path` (.npy, uint8 [N, 256, 512, 3]) in place of theirs."""
    images = np.load(path, mmap_mode="r")
    if len(images) != len(samples) or images.shape[1:] != samples[0].image.shape:
        raise SemcomError(
            f"'{path}' holds images {images.shape}, not one of {samples[0].image.shape} for each of"
            f" {len(samples)} frames: regenerate the same pack."
        )
    return [replace(s, image=np.ascontiguousarray(i)) for s, i in zip(samples, images, strict=True)]


class Stream(IterableDataset):
    """Endless batches, made by the processes of a loader, each its own."""

    def __init__(self, sets: list[tuple[list[Sample], float]], batch: int, seed: int):
        self.batches = Batches(sets, batch, seed, augment, collate)

    def __iter__(self) -> Iterator[PerceptionBatch]:
        worker = get_worker_info()
        first, apart = (worker.id, worker.num_workers) if worker else (0, 1)
        for index in itertools.count(first, apart):
            yield self.batches[index]


class Lessons:
    """Losses of one batch after another, for `timed.train`."""

    def __init__(
        self,
        network: torch.nn.Module,
        sets: list[tuple[list[Sample], float]],
        batch: int,
        device: str,
        processes: int,
        seed: int,
    ):
        self.network, self.device = network, device
        self.balance = torch.from_numpy(balance_of(sets)).to(device)
        loader = DataLoader(
            Stream(sets, batch, seed),
            batch_size=None,
            num_workers=processes,
            worker_init_fn=lambda _: cv2.setNumThreads(0),
            multiprocessing_context="fork" if processes else None,
        )
        self.batches = iter(loader)

    def __call__(self) -> dict[str, torch.Tensor]:
        images, labels, depth, boxes = next(self.batches)
        seen = torch.as_tensor(images).to(self.device).permute(0, 3, 1, 2)
        seen = seen.to(torch.bfloat16, memory_format=torch.channels_last) / 255
        targets = BoxTargets(*(t.to(self.device) for t in boxes))
        batch = PerceptionBatch(images, labels.to(self.device), depth.to(self.device), targets)
        return losses(self.network(seen), batch, self.balance)
