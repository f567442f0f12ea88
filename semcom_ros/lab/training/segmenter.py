# SPDX-License-Identifier: Apache-2.0
"""`semcom train segmenter`: the vehicle's segmenter.

With another `--seed`, `--widths` and `--out` it makes the judge: a second segmenter that no loss
and no vehicle ever sees, to score regenerated images with.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.lab.metrics.confusion import ConfusionMatrix
from semcom_ros.lab.training import data
from semcom_ros.lab.training.loop import Training
from semcom_ros.lab.training.street_pack import OnCamvid
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception.networks import WIDTHS, SegmentationNetwork
from semcom_ros.perception.segmentation import FILE, Segmenter

CROP = (192, 384)
ZOOM = (0.6, 1.6)
TOWNS, HELD_OUT = range(100, 220), range(1, 4)
"""Towns that are learnt from, and those that score."""
TOWN_FRAMES = 30
CLASSES = data.CAMVID_CLASSES


class SegmenterTraining(OnCamvid, Training):
    """Keeps the best by mIoU on CamVid and on the drive."""

    name, what, out = "segmenter", "semantic segmentation network", Path("models") / FILE
    steps, batch, rate, scenes = 3600, 8, 2e-3, 1200
    best_by, checkpoints = "mark", 12

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        cls.share_option(parser)
        widths = "channels at 1/4, 1/8, 1/16 and 1/32"
        parser.add_argument("--widths", type=int, nargs=4, default=WIDTHS, help=widths)

    @classmethod
    def share_option(cls, parser: argparse.ArgumentParser) -> None:
        """How much of a batch is drawn."""
        parser.add_argument("--share", type=float, default=0.35, help="of the drive in a batch")

    def built(self) -> nn.Module:
        """The network to train."""
        return SegmentationNetwork(len(CLASSES), tuple(self.args.widths))

    def form(self) -> dict[str, Any]:
        """What its card tells of that."""
        return {"widths": list(self.args.widths)}

    def begin(self) -> None:
        args = self.args
        camvid, self.held_out = self.read_camvid()
        self.towns = data.render_scenes(TOWN_FRAMES, HELD_OUT, step=37)
        sets: data.Sets = [(camvid, 1 - args.share)]
        if args.share:
            sets.append((data.render_scenes(args.scenes, TOWNS), args.share))
        augment = partial(data.augment, size=CROP, zoom=ZOOM, jitter=True)
        self.batches = data.Batches(sets, args.batch, args.seed, augment)
        self.index = torch.from_numpy(data.class_indices(CLASSES)).long().to(self.device)
        balance = data.class_weights(camvid.labels, CLASSES, power=0.5)
        self.balance = torch.from_numpy(balance).to(self.device)
        self.learn(self.built(), decay=0.998, weight_decay=0.02)

    def update(self, batch: list[torch.Tensor], step: int) -> dict[str, torch.Tensor]:
        images, labels = batch
        logits = self.network(to_input(images, torch.bfloat16, self.device)).float()
        # Scored at the size of the labels, as the vehicle's map is.
        logits = F.interpolate(logits, size=CROP, mode="bilinear")
        target = self.index[labels.long()]
        loss = F.cross_entropy(logits, target, self.balance, ignore_index=255)
        loss.backward()
        return {"loss": loss, "gradient": self.optimise(step)}

    def score(self) -> dict[str, float]:
        segmenter = Segmenter(self.average, CLASSES, self.args.device)
        real, drawn = (confusion_on(segmenter, samples) for samples in (self.held_out, self.towns))
        means = {"miou": real.miou(), "miou on the drive": drawn.miou()}
        return {"mark": sum(means.values()) / 2, **means, **real.iou()}

    def card(self) -> dict[str, Any]:
        return {
            **self.form(),
            "scores": {
                "on": f"{self.choosing}, {len(self.held_out)} frames at 256x512, and "
                f"{TOWN_FRAMES} frames of the procedural drive, seeds {HELD_OUT.start} to "
                f"{HELD_OUT.stop - 1}",
                "best of checkpoints": self.checkpoints,
            },
        }


def confusion_on(
    segmenter: Segmenter, samples: data.Samples, folded: bool = True
) -> ConfusionMatrix:
    """The confusion of the segmenter's maps with the true ones of `samples`; folded: in the eleven
    classes of CamVid."""
    confusion = ConfusionMatrix(folded=folded)
    for labels, found in zip(samples.labels, segmenter(samples.images), strict=True):
        confusion.add(labels, found)
    return confusion
