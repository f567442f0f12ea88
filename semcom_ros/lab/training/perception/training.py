# SPDX-License-Identifier: Apache-2.0
"""`semcom train perception`: the RSU's perception network, on from the shipped segmenter."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.datasets.scenes.drive import CAMERA
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import comparable, frames_with_truth
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.perception_scores import LOWEST, DepthScores, DetectionScores
from semcom_ros.lab.training.data import Batches, render_drive
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.perception.data import (
    COARSE,
    DETECTED,
    SEGMENTED,
    PerceptionBatch,
    Sample,
    augment,
    collate,
    sample_of,
)
from semcom_ros.lab.training.perception.losses import losses
from semcom_ros.labels import TRAIN_ID
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception import segmentation
from semcom_ros.perception.networks import (
    BRANCHES,
    FINE,
    WIDTHS,
    PerceptionNetwork,
    SegmentationNetwork,
)
from semcom_ros.perception.perceive import FILE, RECIPE, Perception
from semcom_ros.perception.segmentation import load_network

TOWNS = range(100, 400)
HELD_OUT = (1, 2)
"""Towns that score; no frame of theirs is learnt from."""
BALANCE = 0.3
"""Rare labels weigh frequency to the minus this."""


class PerceptionTraining(Training):
    """Keeps the best by mIoU + mAP50 - AbsRel on the held-out towns."""

    name, what = "perception", "perception network: labels, boxes and depth"
    out, classes = Path("models") / FILE, SEGMENTED
    steps, batch, rate, scenes = 3000, 4, 1e-3, 2000
    best_by, warm_up, checkpoints = "mark", 100, 10

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--share", type=float, default=0.75, help="of the drive in a batch")

    def begin(self) -> None:
        args, camvid = self.args, f"camvid:{self.args.camvid}"
        real = [sample_of(f) for f in frames_with_truth(camvid, "train", range(367))]
        drives = render_drive(args.scenes, TOWNS, 20, sample_of, truth=True)
        sets = [(drives, args.share), (real, 1 - args.share)]
        self.batches = Batches(sets, args.batch, args.seed, augment, collate)
        self.balance = torch.from_numpy(balance_of(sets)).to(self.device)
        self.towns = [
            frame
            for seed in HELD_OUT
            for frame in frames_with_truth(f"scenes:{seed}", "", range(0, 300, 15))
        ]
        self.streets = frames_with_truth(camvid, "val", range(0, 101, 6))
        network = PerceptionNetwork(len(SEGMENTED), len(DETECTED))
        if not args.start:
            start_from_segmenter(network)
        self.learn(network, decay=0.995, weight_decay=0.02)

    def go_on_from(self, path: Path, network: PerceptionNetwork) -> None:
        go_on_from(path, network)

    def update(self, batch: PerceptionBatch, step: int) -> dict[str, torch.Tensor]:
        outputs = self.network(to_input(batch.images, torch.bfloat16, self.device))
        parts = losses(outputs, batch, self.balance)
        sum(parts.values()).backward()
        return {**parts, "gradient": self.optimise(step)}

    def score(self) -> dict[str, float]:
        classes = [TRAIN_ID[name] for name in SEGMENTED]
        perception = Perception(
            self.average, classes, DETECTED, CAMERA.fx, self.args.device, LOWEST
        )
        scores = score_frames(perception, self.towns)
        on_streets = score_frames(perception, self.streets) if self.streets else {}
        return {
            "mark": scores["miou"] + scores["map50"] - scores["absrel"],
            **scores,
            **{f"camvid {n}": on_streets[n] for n in ("miou", "map50", "recall") if on_streets},
        }

    def card(self) -> dict[str, Any]:
        return {
            "detected": list(DETECTED),
            "widths": list(WIDTHS),
            "branches": list(BRANCHES),
            "fine": FINE,
            "focal": CAMERA.fx,
            "data": f"{self.args.scenes} frames of the procedural drive (seeds {TOWNS.start} to "
            f"{TOWNS.stop - 1}) and CamVid train (367 frames, boxes of its label regions)",
            "scores": {
                "on": f"procedural drive, seeds {HELD_OUT[0]} and {HELD_OUT[1]}, "
                f"{len(self.towns)} frames; CamVid val, {len(self.streets)} frames",
                "best of checkpoints": self.checkpoints,
            },
        }


def balance_of(sets: list[tuple[list[Sample], float]]) -> np.ndarray:
    """Loss weight float32 of each label, by its share of the pixels in the mixture of `sets`."""
    rows = len(SEGMENTED) + len(COARSE)
    shares = np.zeros(rows)
    for samples, share in sets:
        counts = sum(np.bincount(s.labels.ravel(), minlength=256)[:rows] for s in samples)
        shares += share * counts / counts.sum()
    balance = np.maximum(shares, 1e-4) ** -BALANCE
    return (balance / (balance * shares).sum()).astype(np.float32)


def start_from_segmenter(network: PerceptionNetwork) -> None:
    """Take over all of a segmenter of this trunk; an unknown class begins as its superclass.

    Raises SemcomError where the one in models/ is of another form.
    """
    known, classes = load_network(weights.models_dir() / segmentation.FILE)
    if not isinstance(known, SegmentationNetwork):
        raise SemcomError(
            "The segmenter in models/ stands on another backbone, from which this network cannot "
            "begin: go on from weights of its own by --start models/perception.safetensors, or "
            "name a folder with one that `semcom train segmenter` made by SEMCOM_MODELS."
        )
    state = known.state_dict()
    superclass = {c: group[0] for group in COARSE for c in group}
    places = [
        classes.index(TRAIN_ID[SEGMENTED[superclass.get(i, i)]]) for i in range(len(SEGMENTED))
    ]
    sub_pixels = torch.tensor([4 * p + k for p in places for k in range(4)])
    for name in ("head.weight", "head.bias"):
        state[name] = state[name][sub_pixels]
    take_over(network, state)


def go_on_from(path: Path, network: PerceptionNetwork) -> None:
    """Begin with the weights that this recipe made; `FINE` may have grown since.

    Raises SemcomError when they are of other outputs or of another form.
    """
    known, card = weights.load(path, RECIPE)
    outputs = {"classes": list(SEGMENTED), "detected": list(DETECTED)}
    odd = [name for name, value in outputs.items() if card.get(name) != value]
    if odd or card["fine"] > FINE:
        raise SemcomError(
            f"Training cannot go on from {path}: its {(*odd, 'fine layers')[0]} are not those that "
            "are trained here. Begin from weights that `semcom train perception` made."
        )
    smaller = PerceptionNetwork(len(SEGMENTED), len(DETECTED), fine=card["fine"])
    weights.fill(smaller, known, path)
    take_over(network, smaller.state_dict())


def take_over(network: PerceptionNetwork, known: dict[str, torch.Tensor]) -> None:
    """Begin with the tensors `known`; where a layer has grown at its end they are its beginning.

    What it reads of the new channels before it begins at zero, so that it says what it said.
    """
    state = network.state_dict()
    for name, tensor in known.items():
        if tensor.ndim:
            state[name][: len(tensor)] = 0
        state[name][tuple(slice(n) for n in tensor.shape)] = tensor


def score_frames(perception: Perception, frames: list[Frame]) -> dict[str, float]:
    """mIoU of the labels, mAP50, mAP and recall of the boxes, errors of depth if it is known."""
    detection, depth = DetectionScores(perception.names), DepthScores()
    confusion = ConfusionMatrix(folded=frames[0].objects is None)
    for frame in frames:
        [seen] = perception([frame.image], [CAMERA.fx])
        confusion.add(frame.labels, seen.segmentation)
        detection.add(*comparable(frame, seen.detections, perception.names))
        if frame.depth is not None:
            depth.add(frame.depth, seen.depth)
    mean = detection.compute()["mean"]
    return {
        "miou": confusion.miou(),
        "map50": mean.ap50,
        "map": mean.ap,
        "recall": mean.recall,
        **depth.compute(),
    }
