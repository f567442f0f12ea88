# SPDX-License-Identifier: Apache-2.0
"""`semcom train sqgan-paper`: the networks of SQ-GAN's paper, in three stages."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedDataParallelKwargs, PartialState
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.sqgan.paper.inference import MAKERS, file_of, load_network
from semcom_ros.codecs.sqgan.paper.networks import (
    CLASS_PLANES,
    FORMS,
    MAP_PLANES,
    SqganPaperSizes,
)
from semcom_ros.codecs.sqgan.pipeline import Passed
from semcom_ros.datasets import Source, open_source
from semcom_ros.lab.papers import sqgan_losses as losses
from semcom_ros.lab.papers.patience import Patience
from semcom_ros.lab.papers.recipe import PaperTraining
from semcom_ros.lab.papers.sqgan_draws import MaskedDraw, MaskedDraws, Unseen
from semcom_ros.lab.training import perceptual
from semcom_ros.lab.training.loop import moved
from semcom_ros.lab.training.mixed_precision import cosine
from semcom_ros.perception import segmentation

RATE = 1.25e-5
"""Learning rate, times the samples of an update."""
EPOCHS = {"map": 200, "image": 200, "tune": 100}
"""Passes over the frames, at most, by stage."""
PATIENCE = 5
"""Scores on frames unseen without a better one, after which tuning ends: the text gives no number.
"""


class SqganPaperTraining(PaperTraining):
    """The map; the image with true maps; the image tuned to decoded maps, until frames unseen come
    out no better: of that stage the best weights are kept, of the others the last."""

    name, sizes, draws, out = "sqgan-paper", SqganPaperSizes, MaskedDraws, Path("models")
    batch, save_every, steps = 8, 2000, None
    run_options = ("stage", "form", *PaperTraining.run_options)
    # No process changes another's buffers between the two looks at a batch: both are part of one
    # gradient. One seed starts all alike; the quantiser keeps its codebook alike itself.
    handlers = (DistributedDataParallelKwargs(broadcast_buffers=False),)

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        stages = ("map", "image", "tune")
        parser.add_argument("--stage", choices=stages, required=True, help="one after the other")
        form = "the paper's text, or its released code where that differs"
        parser.add_argument("--form", choices=FORMS, default=FORMS[0], help=form)
        parser.add_argument("--unseen", default="val", help="split that tuning ends by")
        perceptual.add_argument(parser)
        models = "folder of the segmenter"
        parser.add_argument("--models", type=Path, default=Path("models"), help=models)

    def __init__(self, args: argparse.Namespace):
        if args.steps is None:
            frames = len(open_source(args.data, args.split))
            samples = max(1, args.batch) * PartialState().num_processes
            args.steps = updates(args.stage, frames, samples)
        super().__init__(args)

    def configured(self) -> SqganPaperSizes:
        return replace(super().configured(), form=self.args.form)

    def drawn(self, source: Source) -> MaskedDraws:
        return MaskedDraws(
            source, tuple(self.args.size), self.args.seed, self.args.batch, self.args.form
        )

    @property
    def states(self) -> Path:
        return self.args.state / self.args.stage

    def begin(self) -> None:
        args, accelerator = self.args, self.accelerator
        self.kind = "map" if args.stage == "map" else "image"
        self.what = f"the pipeline of the SQ-GAN paper after the stage '{args.stage}'"
        pipeline = MAKERS[self.kind](self.configuration)
        self.frozen = None
        if args.stage == "tune":
            before, self.frozen = (
                load_network(args.out, stage, device, tuple(args.size))
                for stage, device in (("image", "cpu"), ("map", accelerator.device))
            )
            pipeline.load_state_dict(before.state_dict())
            unseen = open_source(args.data, args.unseen, space=self.space)
            self.unseen = Unseen(unseen, tuple(args.size))
            self.patience = Patience(PATIENCE)
            accelerator.register_for_checkpointing(self.patience)
        discriminator = losses.PatchDiscriminator(MAP_PLANES if self.kind == "map" else 3)
        adam = partial(torch.optim.Adam, lr=RATE, betas=(0.5, 0.9))
        self.pipeline, self.discriminator, *self.optimizers = accelerator.prepare(
            pipeline.train(),
            discriminator.train(),
            adam(pipeline.parameters()),
            adam(discriminator.parameters()),
        )
        own = args.models / segmentation.FILE
        self.distance = perceptual.perceptual(args.vgg, own, accelerator.device)
        samples = args.batch * accelerator.num_processes
        self.rate_at = rate_at(len(self.batches.source), samples, args.steps)

    def update(self, draw: MaskedDraw, step: int) -> dict[str, torch.Tensor]:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate_at(step)
        passed = self.passed(draw)
        if self.kind == "map":
            error = losses.map_error(passed, draw)
        else:
            error = losses.image_error(passed, draw, self.distance)
        fake, real = losses.judged(passed, draw, self.kind, self.args.form)
        self.discriminator.requires_grad_(False)
        logits = -self.discriminator(fake).mean()
        decoder = self.accelerator.unwrap_model(self.pipeline).receiver.decoder
        weight = losses.adversarial_weight(error, logits, decoder.last.weight, self.kind)
        loss = error + weight * logits + losses.COMMITMENT[self.kind] * passed.commitment
        self._step(loss, self.optimizers[0])

        self.discriminator.requires_grad_(True)
        scores = self.discriminator(fake.detach()), self.discriminator(real)
        doubt = losses.hinge(*scores, self.args.form)
        self._step(doubt, self.optimizers[1])
        commitment = passed.commitment
        return {"error": error, "commitment": commitment, "adversarial": weight, "hinge": doubt}

    def _step(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
        self.accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()

    def passed(self, draw: MaskedDraw) -> Passed:
        """The batch through the pipeline that learns."""
        planes, fraction = draw["planes"], draw["fraction"]
        classes = planes[:, :CLASS_PLANES]
        if self.kind == "map":
            return self.pipeline((planes,), classes, fraction)
        received = classes
        if self.frozen is not None:
            with torch.no_grad(), self.accelerator.autocast():
                # Either pipeline keeps a fraction of its own.
                decoded = self.frozen((planes,), classes, draw["map_fraction"]).output.argmax(1)
            received = nn.functional.one_hot(decoded, MAP_PLANES).permute(0, 3, 1, 2)
            received = received[:, :CLASS_PLANES].to(planes.dtype)
        return self.pipeline((draw["image"], classes), classes, fraction, (received,))

    def score(self) -> dict[str, float]:
        """In tuning the mean error of the image over frames unseen."""
        if self.frozen is None:
            return {}
        first, every = self.share
        own = range(first, len(self.unseen), every)
        sums = torch.zeros(2, device=self.device)
        self.pipeline.eval()
        with torch.no_grad(), torch.random.fork_rng():
            # What the distance draws is the same every time.
            torch.manual_seed(0)
            for at in own:
                draw = moved(self.unseen[at], self.device)
                passed = self.passed(draw)
                error = losses.image_error(passed, draw, self.distance)
                sums += torch.stack([error.detach(), torch.ones_like(error)])
        self.pipeline.train()
        total, count = self.accelerator.reduce(sums, "sum").tolist()
        return {"unseen_error": total / count}

    def keep(self, step: int, scores: dict[str, float]) -> None:
        if not scores or self.patience.better(scores["unseen_error"]):
            super().keep(step, scores)
        elif self.patience.over:
            self.over = 1.0

    def save(self, step: int) -> None:
        seen = perceptual.in_words(self.args.vgg)
        more: dict[str, Any] = {"pipeline": self.kind, "perceptual": seen, "updates": step}
        if self.frozen is not None:
            more["scores"] = {"on": self.unseen.source.name, "error": round(self.patience.best, 5)}
        card = self.described(**more)
        tensors = weights.tensors_of(self.accelerator.unwrap_model(self.pipeline))
        weights.save(self.args.out / file_of(self.args.stage), tensors, card)


def updates(stage: str, frames: int, samples: int) -> int:
    """Of a stage, by default, with so many samples each."""
    return EPOCHS[stage] * math.ceil(frames / samples)


def rate_at(frames: int, samples: int, steps: int) -> Callable[[int], float]:
    """The learning rate by update: it rises over a tenth of an epoch and falls to 0 as a cosine."""
    epoch = max(1, frames // samples)
    return partial(cosine, steps=steps, peak=RATE * samples, warm_up=max(1, epoch // 10))
