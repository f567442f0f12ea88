# SPDX-License-Identifier: Apache-2.0
"""`semcom train sqgan-paper`: the paper's networks, on any number of GPUs."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import nn
from torch.utils.data import DataLoader, Subset

from semcom_ros import weights
from semcom_ros.codecs.sqgan.paper.configuration import CLASS_PLANES, MAP_PLANES, Configuration
from semcom_ros.codecs.sqgan.paper.networks import image_pipeline, map_pipeline
from semcom_ros.codecs.sqgan.pipeline import Passed, Pipeline
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers.sqgan import losses
from semcom_ros.lab.papers.sqgan.draws import Draw, Draws
from semcom_ros.lab.training import accelerated, perceptual
from semcom_ros.lab.training.accelerated import launch_line
from semcom_ros.lab.training.mixed_precision import cosine
from semcom_ros.labels import LABEL_SPACE, NAMES
from semcom_ros.perception import segmentation

STAGES = ("map", "image", "tune")
RATE = 1.25e-5
"""Learning rate, times the samples of an update."""
LOG_EVERY = 50
NAMED_RUN = ("stage", "data", "split", "width", "multipliers", "size", "batch", "seed")
"""Options that make a run what it is; the others may change when it resumes."""
DISTRIBUTED = DistributedDataParallelKwargs(broadcast_buffers=False)
"""No process changes another's buffers between the two looks at a batch: both are
part of one gradient. One seed starts all alike; the quantiser keeps its codebook alike itself."""
RECIPE = "semcom train sqgan-paper --data cityscapes:DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train sqgan-paper`."""
    paper = Configuration()
    parser.add_argument("--stage", choices=STAGES, required=True, help="one after the other")
    accelerated.add_arguments(
        parser,
        paper.width,
        paper.multipliers,
        batch=8,
        every=2000,
        state=Path("out/train/sqgan_paper"),
    )
    parser.add_argument("--out", type=Path, default=Path("models"), help="folder of the weights")
    perceptual.add_argument(parser)
    parser.add_argument(
        "--models", type=Path, default=Path("models"), help="folder of the segmenter"
    )
    parser.add_argument("--steps", type=int, default=74_400, help="updates in all; 200 epochs by 8")


def run(args: argparse.Namespace) -> None:
    """Train one step; write state, weights and card every `--every` updates and at the end.

    Raises SemcomError for sizes that do not fit the networks, data without labels, a step before
    that is missing and a state of another run.
    """
    if min(args.steps, args.batch, args.every) < 1:
        raise SemcomError("Updates, samples and the updates between states start at 1: give more.")
    configuration = Configuration(width=args.width, multipliers=tuple(args.multipliers))
    configuration.check_size(tuple(args.size))
    named = {name: getattr(args, name) for name in NAMED_RUN}
    state = args.state / args.stage
    accelerated.check_state(state, named, args.resume, args.steps, "--steps")
    source = open_source(args.data, args.split)

    accelerator = Accelerator(mixed_precision=args.precision, kwargs_handlers=[DISTRIBUTED])
    torch.manual_seed(args.seed)
    kind = "map" if args.stage == "map" else "image"
    pipeline = map_pipeline(configuration) if kind == "map" else image_pipeline(configuration)
    frozen = None
    if args.stage == "tune":
        load(pipeline, args.out / file("image"))
        frozen = map_pipeline(configuration)
        load(frozen, args.out / file("map"))
        frozen.to(accelerator.device).eval().requires_grad_(False)
    discriminator = losses.PatchDiscriminator(MAP_PLANES if kind == "map" else 3)
    adam = partial(torch.optim.Adam, lr=RATE, betas=(0.5, 0.9))
    prepared = accelerator.prepare(
        pipeline, discriminator, adam(pipeline.parameters()), adam(discriminator.parameters())
    )
    if args.resume:
        accelerator.load_state(str(accelerated.newest_state(state)))
    done = int(accelerated.newest_state(state).name) if args.resume else 0

    processes = accelerator.num_processes
    draws = Draws(source, tuple(args.size), args.seed, args.steps * processes, args.batch)
    left = Subset(draws, range(done * processes, len(draws)))
    loader = accelerator.prepare(DataLoader(left, batch_size=None, num_workers=args.workers))
    distance = perceptual.perceptual(args.vgg, args.models / segmentation.FILE, accelerator.device)
    learning = Learning(args.stage, accelerator, *prepared, distance=distance, frozen=frozen)
    peak = RATE * args.batch * processes
    epoch = max(1, len(source) // (args.batch * processes))
    started, sums = time.monotonic(), {}
    for step, draw in enumerate(loader, done + 1):
        rate = cosine(step - 1, args.steps, peak, warm_up=max(1, epoch // 10))
        for name, value in learning.update(draw, rate).items():
            sums[name] = sums.get(name, 0.0) + value
        last = step == args.steps
        if (step % LOG_EVERY == 0 or last) and accelerator.is_main_process:
            seen = (step - 1) % LOG_EVERY + 1
            means = {name: round(float(total) / seen, 5) for name, total in sums.items()}
            minutes = round((time.monotonic() - started) / 60, 2)
            print(json.dumps({"step": step, "minutes": minutes, **means}), flush=True)
            sums = {}
        if step % args.every == 0 or last:
            accelerated.save_state(accelerator, state, step, named)
            if accelerator.is_main_process:
                save(args, configuration, accelerator.unwrap_model(prepared[0]), step, processes)
    accelerator.end_training()


class Learning:
    """Pipeline and discriminator, and how a batch changes both in step `step`."""

    def __init__(
        self,
        step: str,
        accelerator: Accelerator,
        pipeline: nn.Module,
        discriminator: nn.Module,
        optimizer: torch.optim.Optimizer,
        discriminator_optimizer: torch.optim.Optimizer,
        distance: perceptual.Perceptual,
        frozen: Pipeline | None = None,
    ):
        self.step, self.accelerator = step, accelerator
        self.kind = "map" if step == "map" else "image"
        self.pipeline, self.discriminator = pipeline.train(), discriminator.train()
        self.optimizer, self.discriminator_optimizer = optimizer, discriminator_optimizer
        self.distance, self.frozen = distance, frozen

    def update(self, draw: Draw, rate: float) -> dict[str, torch.Tensor]:
        """Learn from one batch at learning rate `rate`."""
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = rate
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
        self.accelerator.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad()

        self.discriminator.requires_grad_(True)
        doubt = losses.hinge(self.discriminator(fake.detach()), self.discriminator(real))
        self.accelerator.backward(doubt)
        self.discriminator_optimizer.step()
        self.discriminator_optimizer.zero_grad()
        seen = {
            "error": error,
            "commitment": passed.commitment,
            "adversarial": weight,
            "hinge": doubt,
        }
        return {name: value.detach() for name, value in seen.items()}

    def passed(self, draw: Draw) -> Passed:
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


def file(step: str) -> str:
    """The name of the weights that a step makes."""
    return f"sqgan_paper_{step}.safetensors"


def load(pipeline: Pipeline, path: Path) -> None:
    """Put the weights in `path` into `pipeline`. Raises SemcomError."""
    tensors, _ = weights.load(path, RECIPE)
    weights.fill(pipeline, tensors, path)


def save(
    args: argparse.Namespace,
    configuration: Configuration,
    pipeline: Pipeline,
    step: int,
    processes: int,
) -> None:
    """Write weights and card of a step after `step` updates."""
    card = {
        "what": f"the pipeline of the SQ-GAN paper after the stage '{args.stage}'",
        "label_space": LABEL_SPACE,
        "classes": list(NAMES),
        "network": asdict(configuration),
        "size": list(args.size),
        "perceptual": perceptual.in_words(args.vgg),
        "recipe": launch_line("sqgan-paper", args, (*NAMED_RUN, "steps"), processes),
        "updates": step,
    }
    weights.save(args.out / file(args.stage), weights.tensors_of(pipeline), card)
