# SPDX-License-Identifier: Apache-2.0
"""`semcom train perception`: the RSU's perception network, on from the shipped segmenter."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.datasets.scenes.drive import CAMERA
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import comparable, frames_with_truth
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.metrics.perception_scores import LOWEST, DepthScores, DetectionScores
from semcom_ros.lab.training.loop import MixedPrecision, cosine, train
from semcom_ros.lab.training.perception.data import (
    COARSE,
    DETECTED,
    SEGMENTED,
    Batches,
    Sample,
    render_drives,
    sample_of,
)
from semcom_ros.lab.training.perception.losses import losses
from semcom_ros.lab.training.recipe import command_line, origin
from semcom_ros.labels import LABEL_SPACE, TRAIN_ID
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception import segmentation
from semcom_ros.perception.networks import BRANCHES, FINE, WIDTHS, PerceptionNetwork
from semcom_ros.perception.perceive import FILE, RECIPE, Perception
from semcom_ros.perception.segmentation import load_network

TOWNS = range(100, 400)
HELD_OUT = (1, 2)
"""Towns that score; no frame of theirs is learnt from."""
CHECKPOINTS = 10
BALANCE = 0.3
"""Rare labels weigh frequency to the minus this."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train perception`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--steps", type=int, default=3000, help="updates")
    parser.add_argument("--batch", type=int, default=4, help="frames an update")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--scenes", type=int, default=2000, help="frames of the procedural drive")
    parser.add_argument("--share", type=float, default=0.75, help="of them in a batch")
    parser.add_argument("--start", type=Path, help="perception weights to go on from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/perception.jsonl"))


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by mIoU + mAP50 - AbsRel on the held-out towns, write weights, card."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    classes = [TRAIN_ID[name] for name in SEGMENTED]
    camvid = f"camvid:{args.camvid}"
    real = [sample_of(f) for f in frames_with_truth(camvid, "train", range(367))]
    drives = render_drives(args.scenes, TOWNS)
    sets = [(drives, args.share), (real, 1 - args.share)]
    batches = iter(Batches(sets, args.batch, args.seed))
    balance = torch.from_numpy(balance_of(sets))
    towns = [
        frame for s in HELD_OUT for frame in frames_with_truth(f"scenes:{s}", "", range(0, 300, 15))
    ]
    streets = frames_with_truth(camvid, "val", range(0, 101, 6))

    network = PerceptionNetwork(len(classes), len(DETECTED))
    if args.start:
        go_on_from(args.start, network)
    else:
        _start_from_segmenter(network)
    before = origin(args.start, "perception")
    trainer = MixedPrecision(network, torch.bfloat16, decay=0.995, weight_decay=0.02)
    network.train()

    def update(step: int) -> dict[str, float]:
        batch = next(batches)
        parts = losses(network(to_input(batch.images, torch.bfloat16)), batch, balance)
        sum(parts.values()).backward()
        norm = trainer.step(cosine(step, args.steps, args.rate, warm_up=100))
        return {**{name: part.item() for name, part in parts.items()}, "gradient": norm}

    def score() -> dict[str, float]:
        perception = Perception(trainer.average, classes, DETECTED, CAMERA.fx, threshold=LOWEST)
        scores = score_frames(perception, towns)
        on_streets = score_frames(perception, streets)
        return {
            "mark": scores["miou"] + scores["map50"] - scores["absrel"],
            **scores,
            **{f"camvid {name}": on_streets[name] for name in ("miou", "map50", "recall")},
        }

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "perception network: labels, boxes and depth",
            "label_space": LABEL_SPACE,
            "classes": list(SEGMENTED),
            "detected": list(DETECTED),
            "widths": list(WIDTHS),
            "branches": list(BRANCHES),
            "fine": FINE,
            "focal": CAMERA.fx,
            "data": f"{args.scenes} frames of the procedural drive (seeds {TOWNS.start} to "
            f"{TOWNS.stop - 1}) and CamVid train (367 frames, boxes of its label regions)",
            "recipe": command_line("perception", args),
            **before,
            "scores": {
                "on": f"procedural drive, seeds {HELD_OUT[0]} and {HELD_OUT[1]}, {len(towns)} "
                f"frames; CamVid val, {len(streets)} frames",
                "best of checkpoints": CHECKPOINTS,
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(trainer.average), card)

    train(
        update, args.steps, score, keep, "mark", args.log, every=max(1, args.steps // CHECKPOINTS)
    )


def balance_of(sets: list[tuple[list[Sample], float]]) -> np.ndarray:
    """Loss weight float32 of each label, by its share of the pixels in the mixture of `sets`."""
    rows = len(SEGMENTED) + len(COARSE)
    shares = np.zeros(rows)
    for samples, share in sets:
        counts = sum(np.bincount(s.labels.ravel(), minlength=256)[:rows] for s in samples)
        shares += share * counts / counts.sum()
    balance = np.maximum(shares, 1e-4) ** -BALANCE
    return (balance / (balance * shares).sum()).astype(np.float32)


def _start_from_segmenter(network: PerceptionNetwork) -> None:
    """Take over all of the shipped segmenter; an unknown class begins as its superclass."""
    known, classes = load_network(weights.models_dir() / segmentation.FILE)
    state = known.state_dict()
    superclass = {c: group[0] for group in COARSE for c in group}
    places = [
        classes.index(TRAIN_ID[SEGMENTED[superclass.get(i, i)]]) for i in range(len(SEGMENTED))
    ]
    sub_pixels = torch.tensor([4 * p + k for p in places for k in range(4)])
    for name in ("head.weight", "head.bias"):
        state[name] = state[name][sub_pixels]
    _take_over(network, state)


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
    _take_over(network, smaller.state_dict())


def _take_over(network: PerceptionNetwork, known: dict[str, torch.Tensor]) -> None:
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
