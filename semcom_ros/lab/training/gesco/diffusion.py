# SPDX-License-Identifier: Apache-2.0
"""`semcom train gesco`: the few-step diffusion that turns what was received into a street."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch
import torch.nn.functional as F

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion import FILE, ImageDiffusion
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.schedule import PICTURE_STEPS, TRAIN_STEPS, betas
from semcom_ros.codecs.gesco.shared import GescoShared
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.gesco import judge as judging
from semcom_ros.lab.training.gesco.discriminator import Discriminator, compete
from semcom_ros.lab.training.gesco.feature_loss import FeatureLoss
from semcom_ros.lab.training.gesco.received import MAPS, Link, Received
from semcom_ros.lab.training.loop import MixedPrecision, cosine, train
from semcom_ros.lab.training.recipe import command_line
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter

ZOOM = (1.0, 1.25)
STARTS = 0.7
"""Share of the samples at the level where sampling starts; the rest lie anywhere between."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train gesco`."""
    parser.add_argument("--camvid", type=Path, required=True, help="folder of the CamVid data")
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--models", type=Path, default=Path("models"), help="segmenter and prior")
    parser.add_argument("--judge", type=Path, default=Path("models") / judging.FILE)
    parser.add_argument("--maps", choices=MAPS, default=MAPS[0], help="how maps arrive")
    parser.add_argument("--steps", type=int, default=6000, help="updates")
    parser.add_argument("--adversarial-from", type=float, default=0.55, help="share of the steps")
    parser.add_argument("--adversarial", type=float, default=0.1, help="weight of that loss")
    parser.add_argument("--batch", type=int, default=6, help="samples an update")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--scenes", type=int, default=500, help="frames of the procedural drive")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("out/train/gesco.jsonl"))


class Noising:
    """Puts images on the levels of the schedule that sampling meets."""

    def __init__(self) -> None:
        self.signal = torch.cumprod(1 - betas(), 0)

    def __call__(self, batch: Received) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy images [B, 3, H, W] in -1..1 and noise, and their log-SNR [B].

        Most lie where sampling starts: at pure noise, or at the received picture with noise. The
        rest are true images at any level.
        """
        size = batch.image.shape[-2:]
        picture = F.interpolate(batch.coarse.float(), size=size, mode="bilinear")
        n = len(picture)
        starts = torch.rand(n) < STARTS
        pictured = batch.pictured & (torch.rand(n) < 0.7)
        last = torch.where(pictured, PICTURE_STEPS, TRAIN_STEPS) - 1
        t = torch.where(starts, last, (torch.rand(n) * (TRAIN_STEPS - 1)).long())
        base = torch.where((starts & pictured)[:, None, None, None], picture, batch.image)
        signal = self.signal[t]
        alpha, sigma = (v[:, None, None, None] for v in (signal.sqrt(), (1 - signal).sqrt()))
        noisy = alpha * (2 * base - 1) + sigma * torch.randn_like(base)
        return _channels_last(noisy), torch.log(signal / (1 - signal))


class Learning:
    """Network and discriminator, and how a batch changes both."""

    def __init__(
        self, network: DiffusionNetwork, discriminator: Discriminator, feature_loss: FeatureLoss
    ) -> None:
        self.network, self.feature_loss = network, feature_loss
        self.noising = Noising()
        self.trainer = MixedPrecision(network, torch.bfloat16, decay=0.998, weight_decay=0.01)
        self.discriminator = MixedPrecision(
            discriminator, torch.bfloat16, decay=0.0, weight_decay=0.0
        )
        network.train()

    @property
    def average(self) -> DiffusionNetwork:
        """The network with averaged weights."""
        return self.trainer.average

    def update(self, batch: Received, rate: float, adversarial: float) -> dict[str, float]:
        """Learn from one batch; the discriminator takes part where `adversarial` is not 0."""
        noisy, log_snr = self.noising(batch)
        conditions = self.network.condition(batch.class_shares, batch.coarse)
        image = self.network.denoise(noisy, log_snr, conditions).float()
        l1 = ((image - batch.image).abs() * batch.emphasis).mean()
        features = self.feature_loss(image, batch.image)
        loss = 4 * l1 + features
        seen = {"l1": l1.item(), "features": features.item()}
        if adversarial:
            fake, real = ((i.bfloat16(), batch.class_shares) for i in (image, batch.image))
            logits, seen["hinge"] = compete(self.discriminator, fake, real, rate)
            loss = loss + adversarial * logits
        loss.backward()
        self.trainer.step(rate)
        return seen


def run(args: argparse.Namespace) -> None:
    """Train, keep the best by the judge, write weights and card."""
    torch.manual_seed(args.seed)
    torch.set_num_threads(os.cpu_count() or 1)
    classes = data.CAMVID_CLASSES
    shared = GescoShared.load(args.models)
    segmenter = Segmenter.from_pretrained(args.models)
    held_out = data.read_camvid(args.camvid, "val", WORK_SIZE)
    judge = judging.Judge(args.judge, held_out, segmenter, shared)
    sets = data.with_estimates(
        [
            (data.read_camvid(args.camvid, "train", WORK_SIZE), 0.75),
            (data.render_scenes(args.scenes, range(100, 120)), 0.25),
        ],
        segmenter,
    )
    frames = data.Batches(sets, args.batch, WORK_SIZE, ZOOM, args.seed, jitter=False)
    batches = data.one_ahead(Link(shared, classes, args.maps, args.seed), frames)
    learning = Learning(
        DiffusionNetwork(len(classes)),
        Discriminator(len(classes)),
        FeatureLoss(args.models / segmentation.FILE, args.seed),
    )
    adversarial_from = int(args.adversarial_from * args.steps)

    def update(step: int) -> dict[str, float]:
        rate = cosine(step, args.steps, args.rate)
        adversarial = args.adversarial if step >= adversarial_from else 0.0
        return learning.update(next(batches), rate, adversarial)

    def score() -> dict[str, float]:
        return judge(ImageDiffusion.of(learning.average, classes))

    def keep(scores: dict[str, float]) -> None:
        card = {
            "what": "few-step diffusion network of the codec gesco",
            "label_space": LABEL_SPACE,
            "classes": [NAMES[c] for c in classes],
            "data": f"CamVid train (367 frames) and {args.scenes} frames of the procedural drive",
            "recipe": command_line("gesco", args),
            "scores": {
                "on": "every fourth frame of CamVid val, one step; mIoU against truth by the judge",
                "ceiling": round(judge.ceiling, 4),
                **{name: round(value, 4) for name, value in scores.items()},
            },
        }
        weights.save(args.out, weights.tensors_of(learning.average), card)

    every = max(1, args.steps // 15)
    # Before it is sharpened the network may please the judge more and a person less.
    train(update, args.steps, score, keep, "judge", args.log, every, adversarial_from)


def _channels_last(values: torch.Tensor) -> torch.Tensor:
    return values.to(torch.bfloat16, memory_format=torch.channels_last)
