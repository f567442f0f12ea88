# SPDX-License-Identifier: Apache-2.0
"""`semcom train perception-taught`: the RSU's perception network, on from its weights, with the
teacher's labels, on originals and on images that an RSU regenerated."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import boxes_of, frames_with_truth
from semcom_ros.lab.training import street_pack
from semcom_ros.lab.training.data import Batches, render_drive
from semcom_ros.lab.training.perception.data import (
    DETECTED,
    SEGMENTED,
    Sample,
    augment,
    collate,
    sample_of,
)
from semcom_ros.lab.training.perception.training import HELD_OUT, PerceptionTraining, balance_of
from semcom_ros.lab.training.sight.teacher import Teacher
from semcom_ros.lab.training.street_pack import STEP, TOWNS
from semcom_ros.labels import NAMES, SUPERCLASS, TRAIN_ID, VOID
from semcom_ros.perception.networks import PerceptionNetwork
from semcom_ros.perception.perceive import FILE

SHARES = {"drive": 0.5, "camvid": 0.35, "kitti": 0.15}
"""Of the sets in a batch."""
REGENERATED = 0.5
"""Part of the batch that is seen as an RSU regenerated it, of the sets where that is known."""
_PLACES = np.full(256, VOID, np.uint8)
_PLACES[: len(NAMES)] = [
    SEGMENTED.index(name if name in SEGMENTED else SUPERCLASS[name]) for name in NAMES
]


class TaughtPerceptionTraining(street_pack.OnPack, PerceptionTraining):
    """Keeps the last weights: no frame chooses."""

    name = "perception-taught"
    batch, rate, scenes, compete_from = 32, 5e-4, 1500, 1.0

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        teacher = "its weights, or the segmenter's, to tell apart what CamVid lumps"
        parser.add_argument("--teacher", type=Path, required=True, help=teacher)
        regenerated = "folder of drive.npy, camvid.npy, kitti.npy, images from an RSU"
        parser.add_argument("--regenerated", type=Path, help=regenerated)

    def __init__(self, args: argparse.Namespace):
        args.start = args.start or weights.models_dir() / FILE
        super().__init__(args)

    def begin(self) -> None:
        args, known = self.args, street_pack.read_pack(self.args.pack)
        streets, kitti = (street_pack.fitted(known[name]) for name in ("camvid", "kitti"))
        told = Teacher(args.teacher, args.device).tell_apart(streets)
        streets = [replace(f, labels=labels) for f, labels in zip(streets, told, strict=True)]
        samples = {
            "drive": render_drive(args.scenes, TOWNS, STEP, sample_of, truth=True),
            "camvid": list(map(sample_of_labels, streets)),
            "kitti": list(map(sample_of_labels, kitti)),
        }
        sets = []
        for name, share in SHARES.items():
            path = args.regenerated / f"{name}.npy" if args.regenerated else None
            twice = path is not None and path.is_file()
            sets.append((samples[name], share * (1 - REGENERATED * twice)))
            if twice:
                sets.append((with_regenerated(samples[name], path), share * REGENERATED))
        self.batches = Batches(sets, args.batch, args.seed, augment, collate)
        self.balance = torch.from_numpy(balance_of(sets)).to(self.device)
        towns = (frames_with_truth(f"scenes:{s}", "", range(0, 300, 15)) for s in HELD_OUT)
        self.towns, self.streets = sum(towns, []), []
        network = PerceptionNetwork(len(SEGMENTED), len(DETECTED))
        self.learn(network, decay=0.997, weight_decay=0.03)

    def score(self) -> dict[str, float]:
        # A lent machine may lack what scores boxes.
        return super().score() if find_spec("pycocotools") else {self.best_by: 0.0}

    def card(self) -> dict[str, Any]:
        regenerated = ", originals and regenerated" if self.args.regenerated else ""
        on = f"procedural drive, seeds {HELD_OUT}, {len(self.towns)} frames; none chose"
        return super().card() | {
            "data": f"{self.args.scenes} frames of the procedural drive, CamVid train (367 frames) "
            "told apart by a teacher, KITTI semantics (136 frames, CC BY-NC-SA 3.0: not for "
            f"commercial use){regenerated}",
            "scores": {"on": on},
        }


def sample_of_labels(frame: Frame) -> Sample:
    """The sample of a fitted frame whose labels are exact; its objects are their regions."""
    labels = frame.labels
    for name, superclass in SUPERCLASS.items():
        if name not in SEGMENTED:
            labels = np.where(labels == TRAIN_ID[name], np.uint8(TRAIN_ID[superclass]), labels)
    boxes = boxes_of(replace(frame, labels=labels), DETECTED)
    return Sample(frame.image, _PLACES[labels], None, boxes)


def with_regenerated(samples: Sequence[Sample], path: Path) -> list[Sample]:
    """`samples` with the images in `path` (.npy, uint8 [N, 256, 512, 3]) in place of theirs."""
    images = np.load(path, mmap_mode="r")
    if len(images) != len(samples) or images.shape[1:] != samples[0].image.shape:
        raise SemcomError(
            f"'{path}' holds images {images.shape}, not one of {samples[0].image.shape} for each of"
            f" {len(samples)} frames: regenerate the same pack."
        )
    return [replace(s, image=np.ascontiguousarray(i)) for s, i in zip(samples, images, strict=True)]
