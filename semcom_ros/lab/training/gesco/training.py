# SPDX-License-Identifier: Apache-2.0
"""`semcom train gesco`: the few-step diffusion that turns what was received into a street."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.codecs.gesco.diffusion import (
    PICTURE_STEPS,
    TRAIN_STEPS,
    ImageDiffusion,
    betas,
)
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.codecs.gesco.shared import DIFFUSION_FILE, GescoShared
from semcom_ros.frame import WORK_SIZE
from semcom_ros.lab.training import data
from semcom_ros.lab.training.adversarial import (
    Adversarial,
    AdversarialTraining,
    Discriminator,
    Judged,
    Seen,
)
from semcom_ros.lab.training.gesco.received import MAPS, ReceivedBatch, Reception
from semcom_ros.lab.training.judge import FILE as JUDGE
from semcom_ros.lab.training.judge import DiffusionJudge
from semcom_ros.lab.training.perceptual import FeatureLoss
from semcom_ros.labels import TRAIN_ID
from semcom_ros.layers.image_input import to_input
from semcom_ros.perception import segmentation
from semcom_ros.perception.segmentation import Segmenter

STARTS = 0.7
"""Share of the samples at the level where sampling starts; the rest lie anywhere between."""
EMPHASIS = {"pole": 1.5, "traffic sign": 2.0, "person": 2.0, "rider": 2.0, "car": 1.5, "sky": 0.7}
"""Weight of a class's pixels in the loss where it is not 1: what planners look for counts more."""


def emphasis() -> np.ndarray:
    """It by trainId, float32 [256]."""
    table = np.ones(256, np.float32)
    table[[TRAIN_ID[name] for name in EMPHASIS]] = list(EMPHASIS.values())
    return table


class DiffusionLearning(Adversarial):
    """The diffusion learns the clean image from noisy ones on the levels that sampling meets."""

    def __init__(
        self,
        network: DiffusionNetwork,
        discriminator: Discriminator,
        features: FeatureLoss,
        device: str = "cpu",
    ) -> None:
        super().__init__(network, discriminator, device)
        self.features = features
        self.signal = torch.cumprod(1 - betas(), 0).to(device)
        self.emphasis = torch.from_numpy(emphasis()).to(device)

    def noisy(self, image: torch.Tensor, batch: ReceivedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Noisy images [B, 3, H, W] in -1..1 and noise, and their log-SNR [B].

        Most lie where sampling starts: at pure noise, or at the received picture with noise. The
        rest are true images at any level.
        """
        picture = F.interpolate(batch.coarse.float(), size=image.shape[-2:], mode="bilinear")
        chance = torch.rand(3, len(picture), device=self.device)
        starts, pictured = chance[0] < STARTS, batch.pictured & (chance[1] < 0.7)
        last = torch.where(pictured, PICTURE_STEPS, TRAIN_STEPS) - 1
        t = torch.where(starts, last, (chance[2] * (TRAIN_STEPS - 1)).long())
        base = torch.where((starts & pictured)[:, None, None, None], picture, image)
        signal = self.signal[t]
        alpha, sigma = (v[:, None, None, None] for v in (signal.sqrt(), (1 - signal).sqrt()))
        noisy = alpha * (2 * base - 1) + sigma * torch.randn_like(base)
        noisy = noisy.to(torch.bfloat16, memory_format=torch.channels_last)
        return noisy, torch.log(signal / (1 - signal))

    def painted(self, true: torch.Tensor, batch: ReceivedBatch) -> torch.Tensor:
        """The network's images of a batch, float32 [B, 3, H, W], where `true` are known."""
        noisy, log_snr = self.noisy(true, batch)
        conditions = self.network.condition(batch.class_shares, batch.coarse)
        return self.network.denoise(noisy, log_snr, conditions).float()

    def objective(self, batch: ReceivedBatch) -> tuple[torch.Tensor, Seen, Judged, Judged]:
        true = to_input(batch.image, torch.float32, self.device)
        image = self.painted(true, batch)
        weight = self.emphasis[batch.labels.long()][:, None]
        l1 = ((image - true).abs() * weight).mean()
        features = self.features(image, true)
        fake, real = ((i.bfloat16(), batch.class_shares) for i in (image, true))
        return 4 * l1 + features, {"l1": l1, "features": features}, fake, real


class GescoTraining(AdversarialTraining):
    """Keeps the best by the judge."""

    name, what = "gesco", "few-step diffusion network of the codec gesco"
    out, steps, batch, rate, scenes = Path("models") / DIFFUSION_FILE, 6000, 6, 1e-3, 500
    checkpoints, sharpened_from = 15, 0.55

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        models = Path("models")
        parser.add_argument("--models", type=Path, default=models, help="segmenter and prior")
        parser.add_argument("--judge", type=Path, default=models / JUDGE)
        parser.add_argument("--maps", choices=MAPS, default=MAPS[0], help="how maps arrive")
        super().options(parser)

    def begin(self) -> None:
        args, classes = self.args, data.CAMVID_CLASSES
        shared = GescoShared.load(args.models)
        segmenter = Segmenter.from_pretrained(args.models, args.device)
        held_out = data.Samples(*data.read_camvid(args.camvid, "val", WORK_SIZE)[::4])
        self.judge = DiffusionJudge(args.judge, held_out, segmenter, shared, args.device)
        sets = data.with_estimates(
            [
                (data.read_camvid(args.camvid, "train", WORK_SIZE), 0.75),
                (data.render_scenes(args.scenes, range(100, 120)), 0.25),
            ],
            segmenter,
        )
        reception = Reception(shared, classes, args.maps)
        self.batches = data.Batches(sets, args.batch, args.seed, data.augment, reception)
        network = self.started(DiffusionNetwork(len(classes)))
        features = FeatureLoss(args.models / segmentation.FILE, args.device)
        discriminator = Discriminator(len(classes))
        self.compete_with(DiffusionLearning(network, discriminator, features, args.device))

    def score(self) -> dict[str, float]:
        return self.judge(ImageDiffusion(self.average, data.CAMVID_CLASSES, self.args.device))

    def card(self) -> dict[str, Any]:
        return {
            "scores": {
                "on": "every fourth frame of CamVid val, one step; mIoU against truth by the judge",
                "ceiling": round(self.judge.ceiling, 4),
            },
        }
