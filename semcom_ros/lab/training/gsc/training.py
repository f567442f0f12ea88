# SPDX-License-Identifier: Apache-2.0
"""`semcom train gsc`: both ends through the emulated radio, step by step, then their files."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from semcom_ros.codecs.gsc.image_network import noise_picture
from semcom_ros.codecs.gsc.sizes import CONFIGURATIONS, PARTS
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import air, street_pack
from semcom_ros.lab.training.data import Samples, class_weights, render_scenes
from semcom_ros.lab.training.device_windows import WindowBatches, Windows, uniform
from semcom_ros.lab.training.gsc import pack
from semcom_ros.lab.training.gsc.held_out import HeldOut
from semcom_ros.lab.training.gsc.link import Draw, GscLink, map_loss, picture_loss
from semcom_ros.lab.training.gsc.principal import begin_linear
from semcom_ros.lab.training.imagenet_features import ImagenetFeatures
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.recipe import check_sides
from semcom_ros.lab.training.sight.losses import PASTEABLE, ROWS
from semcom_ros.lab.training.sight.training import split
from semcom_ros.lab.training.street_pack import HELD_EVERY, STEP, TOWNS
from semcom_ros.labels import CLASSES, NAMES

SETS = {"camvid": 10, "kitti": 5, "drive": 4, "plain": 2, "wide": 1}
"""Shares of a batch; those that have no labels teach pictures alone."""
PICTURE_WEIGHT = 100.0
"""Of the squared error of pixels in 0..1, beside the cross-entropy."""
BALANCE = 0.3
"""Classes weigh frequency to the minus this."""
NOISED_DB = (-15.0, 20.0)
"""SNR of the small noised picture that further passes hear."""
SEEN = 24
"""Batches whose principal components the linear path begins with."""
PATCHES = 32
"""Sides of samples are multiples of it."""


class Stage(NamedTuple):
    """One step: what learns ("" for all), from weights of which step, updates, peak rate, what the
    links' SNR is, and by which score its weights are kept."""

    learns: str
    after: str
    steps: int
    rate: float
    snr_db: tuple[float, float]
    best_by: str


STAGES = {
    "warm": Stage("", "", 1500, 7e-4, (20.0, 20.0), "psnr"),
    "joint": Stage("", "warm", 6000, 7e-4, air.SNR_DB, "mark"),
    "image": Stage("receiver.image", "joint", 1500, 3e-4, air.SNR_DB, "psnr"),
    "segmentation": Stage("receiver.map", "image", 1000, 3e-4, air.SNR_DB, "miou"),
    "perceptual": Stage("receiver.image.head", "segmentation", 800, 3e-4, air.SNR_DB, "lite1"),
}
ONE_TASK = {"image": "psnr", "map": "miou"}
"""By which score the weights of a step with `--task` are kept."""


def streets(args: argparse.Namespace) -> tuple[WindowBatches, Samples, torch.Tensor]:
    """What is learned from, the frames that choose, and weights of the classes, on a device.

    args: pack, scenes, batch, crop, held and device, as options give them.
    """
    known = street_pack.read_pack(args.pack)
    if args.scenes:
        known["drive"] = render_scenes(args.scenes, TOWNS, STEP)
    camvid = known["camvid"]
    held = np.arange(0, len(camvid), HELD_EVERY)
    known["camvid"] = Samples(*camvid[np.setdiff1d(np.arange(len(camvid)), held)])
    shares = {name: share for name, share in SETS.items() if name in known}
    counts = split(args.batch, list(shares.values()))
    sets = [
        (Windows(known[name], ROWS, args.device), count)
        for name, count in zip(shares, counts, strict=True)
        if count
    ]
    # Over all sets: what CamVid lumps others name, and it is not rare there.
    labels = np.concatenate([known[name].labels[:, ::4, ::4].ravel() for name in shares])
    balance = class_weights(labels, tuple(range(len(CLASSES))), BALANCE)
    weight = torch.from_numpy(balance).to(args.device)
    batches = WindowBatches(sets, tuple(args.crop), PASTEABLE, relit=False)
    return batches, Samples(*camvid[held[: args.held]]), weight


class GscTraining(street_pack.OnPack, Training):
    """Pictures alone at 20 dB; both tasks over all links; each decoder alone; what makes pixels, by
    ImageNet's features; the files. Each keeps its best in the folder `--work`, for the next."""

    name, classes = "gsc", NAMES
    what = "both ends of gsc and the decoders of its two tasks"
    batch, scenes, on_device = 16, 600, True
    out = steps = rate = None
    checkpoints, warm_up = 8, 100
    help = {
        "steps": "updates, by default by the step: "
        + ", ".join(f"{stage.steps} ({name})" for name, stage in STAGES.items()),
        "rate": "peak learning rate, by default by the step",
    }

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        add = parser.add_argument
        add("--step", choices=(*STAGES, "pack"), required=True, help="one after the other")
        add("--configuration", choices=("fast", "mid"), default="fast", help="size of the networks")
        add("--without", choices=PARTS, nargs="*", default=[], help="parts left out, for a study")
        alone = "learn one task alone, for a study"
        add("--task", choices=("both", "image", "map"), default="both", help=alone)
        add("--work", type=Path, default=Path("out/train/gsc"), help="weights, logs and states")
        add("--models", type=Path, default=Path("models"), help="pack: where the files go")
        # The transformer knows no positions that it has not seen.
        crop = "height and width of samples, multiples of 32"
        add("--crop", type=int, nargs=2, default=list(WORK_SIZE), help=crop)
        add("--held", type=int, default=31, help="held-out frames that score")

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        # In the folder of the steps, each by its name.
        parser.set_defaults(log=None)

    @classmethod
    def run(cls, args: argparse.Namespace) -> None:
        """Do one step. Raises SemcomError."""
        if args.step == "pack":
            pack.run(args)
            return
        if args.task != "both" and args.step != "joint":
            raise SemcomError(f"--task {args.task} is of --step joint: every other has one anyway.")
        check_sides("--crop", args.crop, PATCHES)
        cls(args).make()

    def __init__(self, args: argparse.Namespace):
        self.stage = STAGES[args.step]
        self.sizes = replace(CONFIGURATIONS[args.configuration], without=tuple(args.without))
        self.best_by = ONE_TASK.get(args.task, self.stage.best_by)
        args.steps = args.steps or self.stage.steps
        args.rate = args.rate or self.stage.rate
        args.out = args.out or args.work / pack.file_of_step(args.step)
        args.log = args.log or args.work / f"{args.step}.jsonl"
        if args.start is None and self.stage.after:
            args.start = args.work / pack.file_of_step(self.stage.after)
        super().__init__(args)

    def begin(self) -> None:
        args, device = self.args, self.args.device
        self.batches, held, self.weight = streets(args)
        self.held_out = HeldOut(held, device)
        network = GscLink(self.sizes, len(CLASSES))
        if self.sizes.linear and args.start is None:
            begin_linear(network, torch.cat([self.batches[at][0] for at in range(SEEN)]).cpu())
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(self.stage.learns))
        self.features: nn.Module | None = None
        if args.step == "perceptual":
            self.features = ImagenetFeatures(0, args.pack).to(device)
            self.held_out.judge = ImagenetFeatures(1, args.pack).to(device)
        self.learn(network, decay=0.998, weight_decay=0.01)

    def wanted(self, count: int) -> torch.Tensor:
        """Pairs float32 [count, 2]: a quarter maps alone, a quarter both, the rest pictures; with a
        step that has one task, that alone in half of them and both in the rest; with `--task` one
        alone."""
        quarter = count // 4
        wanted = torch.zeros(count, 2, device=self.device)
        if self.args.task != "both":
            wanted[:, int(self.args.task == "map")] = 1
            return wanted
        wanted[quarter:, 0] = 1
        wanted[: 2 * quarter, 1] = 1
        if self.args.step != "joint":
            task = int(self.args.step == "segmentation")
            wanted[:, task] = 1
            wanted[:, 1 - task] = (torch.arange(count, device=self.device) % 2).float()
        return wanted

    def update(self, batch: tuple[torch.Tensor, ...], step: int) -> dict[str, torch.Tensor]:
        images, _, rows = batch
        labels = torch.where(rows < len(CLASSES), rows, 255)
        wanted = self.wanted(len(images))
        plain = self.args.step == "warm"
        draw = Draw.of(wanted, self.sizes.planes, self.stage.snr_db, fading=not plain)
        heard = self.network.send(images, draw)
        contexts = self.network.understand(heard)
        # Of a batch with both tasks maps alone come first, then both, then pictures alone.
        mixed = self.args.step == "joint" and self.args.task == "both"
        quarter = len(images) // 4 if mixed else 0
        which, mapped = slice(quarter, None), slice(0, 2 * quarter or None)
        losses: dict[str, torch.Tensor] = {}
        total = torch.zeros((), device=self.device)
        if self.args.step == "image":
            losses["refined"] = self._refined(contexts.context, heard.told, images)
            total = total + PICTURE_WEIGHT * losses["refined"]
        if self.args.step != "segmentation" and self.args.task != "map":
            pictures = self.network.paint(contexts, heard, which)
            losses["picture"] = picture_loss(pictures, images[which])
            if self.features is None:
                total = total + PICTURE_WEIGHT * losses["picture"]
            else:
                losses["seen"] = self.features.distance(pictures, images[which]).mean()
                losses["l1"] = (pictures - images[which]).abs().mean()
                total = total + losses["seen"] + 4 * losses["l1"]
        if self.args.step in ("joint", "segmentation") and self.args.task != "image":
            logits = self.network.label(contexts, mapped)
            losses["map"] = map_loss(logits, labels[mapped], self.weight)
            total = total + losses["map"]
        total.backward()
        return {**losses, "gradient": self.optimise(step)}

    def _refined(
        self, context: torch.Tensor, told: torch.Tensor, images: torch.Tensor
    ) -> torch.Tensor:
        """Loss of a further pass, which hears the true picture small and noised."""
        size = [2 * side for side in context.shape[-2:]]
        small = nn.functional.adaptive_avg_pool2d(images, size)
        level = uniform(self.device, *NOISED_DB, len(images))
        noised = noise_picture(small, torch.randn_like(small), level)
        return picture_loss(self.network.receiver.image(context, told, noised, level), images)

    def score(self) -> dict[str, float]:
        return self.held_out.score(self.average)

    def card(self) -> dict[str, Any]:
        return {
            "configuration": self.args.configuration,
            "network": asdict(self.sizes),
            "step": self.args.step,
            "task": self.args.task,
            "data": f"CamVid train but for every {HELD_EVERY}th frame, KITTI semantics train but "
            "for held-out runs (CC BY-NC-SA 3.0), unlabelled frames of udacity_highway, "
            "driveai_sample and KITTI, frames of the procedural drive",
            "scores": {"on": f"every {HELD_EVERY}th frame of CamVid train, AWGN; chose"},
        }
