# SPDX-License-Identifier: Apache-2.0
"""`semcom train sqgan-paper`: the networks of SQ-GAN's paper, in three stages."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from accelerate import DistributedDataParallelKwargs
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.sqgan.paper.inference import MAKERS, file_of, load_network
from semcom_ros.codecs.sqgan.paper.networks import CLASS_PLANES, MAP_PLANES, SqganPaperSizes
from semcom_ros.codecs.sqgan.pipeline import Passed
from semcom_ros.lab.papers import sqgan_losses as losses
from semcom_ros.lab.papers.draws import MaskedDraw, MaskedDraws
from semcom_ros.lab.papers.recipe import PaperTraining
from semcom_ros.lab.training import perceptual
from semcom_ros.lab.training.mixed_precision import cosine
from semcom_ros.perception import segmentation

RATE = 1.25e-5
"""Learning rate, times the samples of an update."""


class SqganPaperTraining(PaperTraining):
    """The map; the image with true maps; the image tuned to decoded maps."""

    name, sizes, draws, out = "sqgan-paper", SqganPaperSizes, MaskedDraws, Path("models")
    batch, save_every, steps = 8, 2000, 74_400
    run_options = ("stage", *PaperTraining.run_options)
    # No process changes another's buffers between the two looks at a batch: both are part of one
    # gradient. One seed starts all alike; the quantiser keeps its codebook alike itself.
    handlers = (DistributedDataParallelKwargs(broadcast_buffers=False),)

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        stages = ("map", "image", "tune")
        parser.add_argument("--stage", choices=stages, required=True, help="one after the other")
        perceptual.add_argument(parser)
        models = "folder of the segmenter"
        parser.add_argument("--models", type=Path, default=Path("models"), help=models)

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
                load_network(args.out / file_of(stage), device, tuple(args.size))
                for stage, device in (("image", "cpu"), ("map", accelerator.device))
            )
            pipeline.load_state_dict(before.state_dict())
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
        epoch = max(1, len(self.batches.source) // samples)
        self.rate_at = partial(
            cosine, steps=args.steps, peak=RATE * samples, warm_up=max(1, epoch // 10)
        )

    def update(self, draw: MaskedDraw, step: int) -> dict[str, torch.Tensor]:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate_at(step)
        passed = self.passed(draw)
        if self.kind == "map":
            error = losses.map_error(passed, draw)
        else:
            error = losses.image_error(passed, draw, self.distance)
        fake, real = losses.judged(passed, draw, self.kind)
        self.discriminator.requires_grad_(False)
        logits = -self.discriminator(fake).mean()
        decoder = self.accelerator.unwrap_model(self.pipeline).receiver.decoder
        weight = losses.adversarial_weight(error, logits, decoder.last.weight, self.kind)
        loss = error + weight * logits + losses.COMMITMENT[self.kind] * passed.commitment
        self._step(loss, self.optimizers[0])

        self.discriminator.requires_grad_(True)
        doubt = losses.hinge(self.discriminator(fake.detach()), self.discriminator(real))
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
                decoded = self.frozen((planes,), classes, fraction).output.argmax(1)
            received = nn.functional.one_hot(decoded, MAP_PLANES).permute(0, 3, 1, 2)
            received = received[:, :CLASS_PLANES].to(planes.dtype)
        return self.pipeline((draw["image"], classes), classes, fraction, (received,))

    def save(self, step: int) -> None:
        seen = perceptual.in_words(self.args.vgg)
        card = self.described(pipeline=self.kind, perceptual=seen, updates=step)
        tensors = weights.tensors_of(self.accelerator.unwrap_model(self.pipeline))
        weights.save(self.args.out / file_of(self.args.stage), tensors, card)
