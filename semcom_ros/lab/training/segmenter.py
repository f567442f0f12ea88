# SPDX-License-Identifier: Apache-2.0
"""`semcom train segmenter`: the vehicle's segmenter.

With another `--seed`, `--widths` and `--out` it makes the judge: a second segmenter that no loss
and no vehicle ever sees, to score regenerated images with.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training import data
from semcom_ros.lab.training.loop import MixedPrecision, cosine, train
from semcom_ros.lab.training.recipe import command_line, origin
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception.networks import WIDTHS, SegmentationNetwork
from semcom_ros.perception.segmentation import FILE, Segmenter, load_network

CROP = (192, 384)
ZOOM = (0.6, 1.6)
CHECKPOINTS = 12
TOWNS, HELD_OUT = range(100, 220), range(1, 4)
"""Towns that are learnt from, and those that score."""
TOWN_FRAMES = 30


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train segmenter`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--steps", type=int, default=3600, help="updates")
    parser.add_argument("--batch", type=int, default=8, help="samples an update")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument(
        "--widths", type=int, nargs=4, default=WIDTHS, help="channels at 1/4, 1/8, 1/16 and 1/32"
    )
    parser.add_argument("--scenes", type=int, default=1200, help="frames of the procedural drive")
    parser.add_argument("--share", type=float, default=0.35, help="of them in a batch")
    parser.add_argument("--start", type=Path, help="weights to begin from instead of random ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/segmenter.jsonl"))


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by mIoU on CamVid val and on the drive, write weights and card."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    classes = data.CAMVID_CLASSES
    camvid = data.read_camvid(args.camvid, "train")
    held_out = data.read_camvid(args.camvid, "val", WORK_SIZE)
    sets = [(camvid, 1 - args.share)]
    if args.share:
        sets.append((data.render_scenes(args.scenes, TOWNS), args.share))
    towns = data.render_scenes(TOWN_FRAMES, HELD_OUT, step=37)
    batches = iter(data.Batches(sets, args.batch, CROP, ZOOM, args.seed))
    balance = torch.from_numpy(data.class_weights(camvid.labels, classes, power=0.5))
    index = data.class_indices(classes)

    network = SegmentationNetwork(len(classes), tuple(args.widths))
    if args.start:
        network, known = load_network(args.start)
        if known != classes:
            raise SemcomError(
                f"The weights {args.start} are of other classes than CamVid's eleven: "
                "begin from weights that this recipe made."
            )
    before = origin(args.start, "segmenter")
    trainer = MixedPrecision(network, torch.bfloat16, decay=0.998, weight_decay=0.02)
    network.train()

    def update(step: int) -> dict[str, float]:
        images, labels = next(batches)
        logits = network(to_input(images, torch.bfloat16)).float()
        # Scored at the size of the labels, as the vehicle's map is.
        logits = F.interpolate(logits, size=CROP, mode="bilinear")
        target = torch.from_numpy(index[labels]).long()
        loss = F.cross_entropy(logits, target, balance, ignore_index=255)
        loss.backward()
        norm = trainer.step(cosine(step, args.steps, args.rate))
        return {"loss": loss.item(), "gradient": norm}

    def score() -> dict[str, float]:
        segmenter = Segmenter(trainer.average, classes)
        real, drawn = (confusion_on(segmenter, samples) for samples in (held_out, towns))
        means = {"miou": real.miou(), "miou on the drive": drawn.miou()}
        return {"mark": sum(means.values()) / 2, **means, **real.iou()}

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "semantic segmentation network",
            "label_space": LABEL_SPACE,
            "classes": [NAMES[c] for c in classes],
            "widths": list(args.widths),
            "data": f"CamVid train (367 frames) and {args.scenes} frames of the procedural drive",
            "recipe": command_line("segmenter", args),
            **before,
            "scores": {
                "on": f"CamVid val, 101 frames at 256x512, and {TOWN_FRAMES} frames of the "
                f"procedural drive, seeds {HELD_OUT.start} to {HELD_OUT.stop - 1}",
                "best of checkpoints": CHECKPOINTS,
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(trainer.average), card)

    train(
        update, args.steps, score, keep, "mark", args.log, every=max(1, args.steps // CHECKPOINTS)
    )


def confusion_on(segmenter: Segmenter, samples: data.Samples) -> ConfusionMatrix:
    """The confusion of the segmenter's maps with the true ones of `samples`."""
    confusion = ConfusionMatrix(folded=True)
    for labels, found in zip(samples.labels, segmenter(samples.images), strict=True):
        confusion.add(labels, found)
    return confusion
