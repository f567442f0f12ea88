# SPDX-License-Identifier: Apache-2.0
"""`semcom train gesco-paper`: the network of GESCO's paper."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from torch.optim.swa_utils import AveragedModel

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.network import SIMILARITIES, GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import scheduler
from semcom_ros.codecs.gesco.shared import PAPER_FILE
from semcom_ros.datasets import Source
from semcom_ros.lab.papers.draws import NoisyDraw, NoisyDraws
from semcom_ros.lab.papers.gesco_loss import BOUND_WEIGHT, DIVERGENCES, NORMS, hybrid_loss
from semcom_ros.lab.papers.recipe import PaperTraining

CHOICES = (
    ("similarity", SIMILARITIES, "of attention: the paper's, or the released code's"),
    ("norm", NORMS, "of the error of the noise (equation 9)"),
    ("divergence", DIVERGENCES, "order of the KL term (equation 10): KL(q || p), or KL(p || q)"),
    ("noise", ("paper", "released"), "on maps: the paper's, or the released code's"),
)
"""Where the paper and its code, or two readings of it, differ: option, choices, meaning."""


class GescoPaperTraining(PaperTraining):
    """Keeps averaged weights."""

    name, what = "gesco-paper", "the diffusion network of the GESCO paper, averaged weights"
    sizes, draws, out = GescoPaperSizes, NoisyDraws, Path("models") / PAPER_FILE
    batch, save_every, steps = 4, 5000, 200_000
    spaces = GescoPaperSizes.spaces
    run_options = (
        *PaperTraining.run_options, "rate", "decay", "similarity", "norm", "divergence", "noise"
    )  # fmt: skip

    @classmethod
    def options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--rate", type=float, default=1e-4, help="learning rate")
        decay = "of the averaged weights"
        parser.add_argument("--decay", type=float, default=0.9999, help=decay)
        for name, choices, text in CHOICES:
            parser.add_argument(f"--{name}", choices=choices, default=choices[0], help=text)
        less = "less memory for a third more time"
        parser.add_argument("--checkpointing", action="store_true", help=less)

    def configured(self) -> GescoPaperSizes:
        own = {"planes": self.space.planes, "similarity": self.args.similarity}
        return replace(super().configured(), **own)

    def drawn(self, source: Source) -> NoisyDraws:
        args = self.args
        size = tuple(args.size)
        return NoisyDraws(source, size, args.seed, args.batch, self.space, args.noise)

    def begin(self) -> None:
        network = PaperNetwork(self.configuration, self.args.checkpointing).train()
        network.to(device=self.accelerator.device, memory_format=torch.channels_last)
        self.averaged = averaged(network, self.args.decay)
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.args.rate, weight_decay=0.0)
        self.prepared, self.optimizer = self.accelerator.prepare(network, optimizer)
        self.accelerator.register_for_checkpointing(self.averaged)
        self.schedule = scheduler()

    def update(self, draw: NoisyDraw, step: int) -> dict[str, torch.Tensor]:
        how = {"norm": self.args.norm, "divergence": self.args.divergence}
        seen = update(self.prepared, self.optimizer, draw, self.schedule, self.accelerator, **how)
        self.averaged.update_parameters(self.accelerator.unwrap_model(self.prepared))
        return seen

    def save(self, step: int) -> None:
        tensors = weights.tensors_of(self.averaged.module)
        weights.save(self.args.out, tensors, self.described(updates=step))


def averaged(network: PaperNetwork, decay: float) -> AveragedModel:
    """Exponentially averaged weights; the average is short at first and forgets the start."""

    def mix(kept: list[torch.Tensor], seen: list[torch.Tensor], updates: torch.Tensor) -> None:
        n = int(updates)
        torch._foreach_lerp_(kept, seen, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(network, multi_avg_fn=mix)


def update(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    draw: NoisyDraw,
    schedule: DDPMScheduler,
    accelerator: Accelerator,
    **how: str,
) -> dict[str, torch.Tensor]:
    """One update on a batch of samples; returns its error and its bound. how: as `hybrid_loss` has
    it."""
    image = draw["image"].to(memory_format=torch.channels_last)
    noisy = schedule.add_noise(image, draw["noise"], draw["step"])
    output = network(noisy, draw["step"], draw["planes"].to(memory_format=torch.channels_last))
    # Adding noise has moved them to the images' device.
    alphas_cumprod = schedule.alphas_cumprod
    error, bound = hybrid_loss(
        output, image, draw["noise"], noisy, draw["step"], alphas_cumprod, **how
    )
    accelerator.backward((error + BOUND_WEIGHT * bound).mean())
    optimizer.step()
    optimizer.zero_grad()
    return {"error": error.mean(), "bound": bound.mean()}
