# SPDX-License-Identifier: Apache-2.0
"""`semcom train sight`: a teacher, the vehicle's segmenter, or the panel.

The teacher learns from labels, the segmenter from labels, from the teacher where one is given, and
where told so from the weights that it begins with.
The panel, which judges regenerated images, learns from labels alone, on a backbone that none of the
others stands on. The last weights are kept: no frame chooses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from semcom_ros.errors import SemcomError
from semcom_ros.lab.training import street_pack
from semcom_ros.lab.training.data import Samples, pixels_of, render_scenes
from semcom_ros.lab.training.device_windows import WindowBatches, Windows
from semcom_ros.lab.training.imagenet_features import begin_from_imagenet
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.segmenter import confusion_on
from semcom_ros.lab.training.sight.losses import (
    CAMVID,
    DRIVE,
    PASTEABLE,
    ROWS,
    LabelLoss,
    distillation,
    rows_of,
)
from semcom_ros.lab.training.sight.teacher import Teacher
from semcom_ros.lab.training.street_pack import STEP, TOWNS
from semcom_ros.labels import NAMES
from semcom_ros.layers.efficientnet_lite import BLOCKS
from semcom_ros.perception.lite_network import LiteSegmentationNetwork
from semcom_ros.perception.segmentation import Segmenter

UNSEEN = (27, range(1, 4), 37)
"""Frames, towns and step of the drives that score."""
LUMPED = {"camvid": CAMVID, "kitti": (), "drive": DRIVE}
"""The labelled sets, and what each lumps."""
CROP = (256, 448)


class SightStage(NamedTuple):
    """What a network is, where it is kept, its form, and what it learns from: shares of the sets in
    a batch."""

    what: str
    out: str
    form: dict[str, Any]
    shares: dict[str, int]


STAGES = {
    "teacher": SightStage(
        "teacher of the segmenters",
        "out/train/teacher.safetensors",
        {"backbone": "lite1", "kept": 6, "last": BLOCKS, "channels": 128, "fine": 64},
        {"camvid": 16, "kitti": 11, "drive": 5},
    ),
    "segmenter": SightStage(
        "semantic segmentation network",
        "models/segmenter.safetensors",
        {"backbone": "lite0", "kept": 6, "last": BLOCKS, "channels": 64, "fine": 32},
        {"camvid": 12, "kitti": 11, "drive": 4, "plain": 2, "wide": 3},
    ),
    "panel": SightStage(
        "segmenter that judges images and chooses none",
        "models/panel.safetensors",
        {"backbone": "lite2", "kept": 6, "last": 2, "channels": 80, "fine": 40},
        {"camvid": 15, "kitti": 11, "drive": 6},
    ),
}


class SightTraining(street_pack.OnPack, Training):
    """Keeps the last weights of a stage; `mean miou`, on held-out frames, is told and chooses
    none."""

    name, classes, out = "sight", NAMES, Path("models")
    steps, batch, rate, scenes = 20000, 16, 1e-3, 1500
    best_by, compete_from, checkpoints, on_device = "mean miou", 1.0, 6, True

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--stage", choices=STAGES, default="segmenter")
        teacher = "its weights; unlabelled sets need them, or --start-teaches"
        parser.add_argument("--teacher", type=Path, help=teacher)
        seek = "part of the windows that lie about a label, of a rare one more often"
        also = "the weights --start teach as well, so that little of what they know is lost"
        parser.add_argument("--start-teaches", action="store_true", help=also)
        parser.add_argument("--seek", type=float, default=0.0, help=seek)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        # By the stage.
        parser.set_defaults(out=None, log=None)

    def __init__(self, args: argparse.Namespace):
        self.stage = STAGES[args.stage]
        self.what = self.stage.what
        args.out = args.out or Path(self.stage.out)
        args.log = args.log or Path(f"out/train/{args.stage}.jsonl")
        super().__init__(args)

    def check(self) -> None:
        super().check()
        if self.args.start_teaches and self.args.start is None:
            raise SemcomError("--start-teaches without --start: no weights are there to teach.")

    def begin(self) -> None:
        args, device = self.args, self.args.device
        teaching = [args.teacher, args.start if args.start_teaches else None]
        self.teachers = [Teacher(path, device) for path in teaching if path]
        known = street_pack.read_pack(args.pack)
        if args.scenes:
            known["drive"] = render_scenes(args.scenes, TOWNS, STEP)
        elif "drive" not in known:
            raise SemcomError(
                f"The pack {args.pack} holds no frames of the drive: leave out --scenes 0, or make "
                "it with --scenes."
            )
        shares = {n: s for n, s in self.stage.shares.items() if self.teachers or n in LUMPED}
        counts = split(args.batch, list(shares.values()))
        sets, pixels = [], np.zeros(ROWS)
        for (name, share), count in zip(shares.items(), counts, strict=True):
            rows = rows_of(known[name].labels, LUMPED.get(name, ()))
            if name in LUMPED:
                seen = np.bincount(rows.ravel(), minlength=256)[:ROWS]
                pixels += share * seen / seen.sum()
            if count:
                windows = Windows(Samples(known[name].images, rows), ROWS, device, args.seek)
                sets.append((windows, count))
        self.batches = WindowBatches(sets, CROP, PASTEABLE)
        self.loss = LabelLoss(pixels / pixels.sum(), device)
        self.held_out = {
            "kitti": Samples.of(map(pixels_of, street_pack.fitted(known["kitti_held"]))),
            "drive": render_scenes(*UNSEEN),
        }
        network = LiteSegmentationNetwork(len(NAMES), **self.stage.form)
        if args.start is None:
            begin_from_imagenet(network.backbone, args.pack)
        slow = network.backbone.parameters()
        self.learn(network, decay=0.997, weight_decay=0.03, slow=slow)

    def update(self, batch: tuple[torch.Tensor, ...], step: int) -> dict[str, torch.Tensor]:
        plain, images, rows = batch
        seen = images.to(torch.bfloat16, memory_format=torch.channels_last)
        logits = self.network(seen).float()
        parts = self.loss(logits, rows)
        if self.teachers:
            taught = torch.stack([teacher(plain) for teacher in self.teachers]).mean(0)
            parts["teacher"] = distillation(logits, taught)
        sum(parts.values()).backward()
        return {**parts, "gradient": self.optimise(step)}

    def score(self) -> dict[str, float]:
        segmenter = Segmenter(self.average, range(len(NAMES)), self.args.device)
        found = {n: confusion_on(segmenter, s, folded=False) for n, s in self.held_out.items()}
        means = {f"{name} miou": matrix.miou() for name, matrix in found.items()}
        return {"mean miou": float(np.mean([*means.values()])), **means, **found["kitti"].iou()}

    def card(self) -> dict[str, Any]:
        drives = "; unlabelled frames of udacity_highway, driveai_sample, KITTI, told by a teacher"
        return {
            **self.stage.form,
            "data": "ImageNet (backbone); CamVid train (367 frames); KITTI semantics (136 frames, "
            f"CC BY-NC-SA 3.0: not for commercial use); {self.args.scenes or 'packed'} frames of "
            f"the procedural drive, seeds {TOWNS.start} to {TOWNS.stop - 1}"
            + (drives if self.teachers else ""),
            "scores": {"on": "held-out runs of KITTI (33 frames) and drives; none chose"},
        }


def split(total: int, shares: Sequence[int]) -> list[int]:
    """Whole parts of `total` in the proportion of `shares`."""
    edges = np.round(np.cumsum([0, *shares]) / sum(shares) * total).astype(int)
    return np.diff(edges).tolist()
