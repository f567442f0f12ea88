# SPDX-License-Identifier: Apache-2.0
"""`semcom train gesco-paper`: the paper's network, on any number of GPUs by `accelerate launch`."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, Subset

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.configuration import Configuration
from semcom_ros.codecs.gesco.paper.diffusion import BOUND_WEIGHT, hybrid_loss, scheduler
from semcom_ros.codecs.gesco.paper.network import PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import FILE, card_of
from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.lab.papers.gesco.draws import Draw, Draws
from semcom_ros.lab.training import accelerated
from semcom_ros.lab.training.accelerated import launch_line, without_folder
from semcom_ros.labels import LABEL_SPACE, NAMES

LOG_EVERY = 50
"""Updates that one line of the log is the mean of."""
NAMED_RUN = ("data", "split", "width", "multipliers", "size", "batch", "rate", "decay", "seed")
"""Options that make a run what it is; the others may change when it resumes."""
RECIPE_OPTIONS = (*NAMED_RUN, "steps", "precision")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `semcom train gesco-paper`."""
    paper = Configuration()
    accelerated.add_arguments(
        parser,
        paper.width,
        paper.multipliers,
        batch=4,
        every=5000,
        state=Path("out/train/gesco_paper"),
    )
    parser.add_argument("--out", type=Path, default=Path("models") / FILE)
    parser.add_argument("--steps", type=int, default=200_000, help="updates in all")
    parser.add_argument("--rate", type=float, default=1e-4, help="learning rate")
    parser.add_argument("--decay", type=float, default=0.9999, help="of the averaged weights")
    parser.add_argument(
        "--checkpointing", action="store_true", help="less memory for a third more time"
    )
    parser.add_argument("--log", type=Path, default=Path("out/train/gesco_paper.jsonl"))


def run(args: argparse.Namespace) -> None:
    """Train; write state, averaged weights and card every `--every` updates and at the end.

    Raises SemcomError for sizes that do not fit the network, data without labels and a state of
    another run.
    """
    if min(args.steps, args.batch, args.every) < 1:
        raise SemcomError("Updates, samples and the updates between states start at 1: give more.")
    configuration = Configuration(width=args.width, multipliers=tuple(args.multipliers))
    configuration.check_size(tuple(args.size))
    named = {name: getattr(args, name) for name in NAMED_RUN}
    accelerated.check_state(args.state, named, args.resume, args.steps, "--steps")
    source = open_source(args.data, args.split)

    accelerator = Accelerator(mixed_precision=args.precision)
    torch.manual_seed(args.seed)
    network = PaperNetwork(configuration, args.checkpointing)
    network.to(device=accelerator.device, memory_format=torch.channels_last)
    average = averaged(network, args.decay)
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.rate, weight_decay=0.0)
    network, optimizer = accelerator.prepare(network, optimizer)
    accelerator.register_for_checkpointing(average)
    if args.resume:
        accelerator.load_state(str(accelerated.newest_state(args.state)))
    done = int(average.n_averaged)

    an_update = args.batch * accelerator.num_processes
    draws = Draws(source, tuple(args.size), args.seed, args.steps * an_update)
    left = Subset(draws, range(done * an_update, len(draws)))
    loader = accelerator.prepare(
        DataLoader(
            left, args.batch, num_workers=args.workers, pin_memory=accelerator.device.type == "cuda"
        )
    )
    card = {
        "what": "the diffusion network of the GESCO paper, averaged weights",
        "label_space": LABEL_SPACE,
        "classes": list(NAMES),
        **card_of(configuration, tuple(args.size)),
        "data": f"{without_folder(args.data)}, split {args.split}, {len(source)} frames",
        "recipe": launch_line("gesco-paper", args, RECIPE_OPTIONS, accelerator.num_processes),
    }

    log = _Log(accelerator, args.log, args.resume)
    schedule = scheduler()
    network.train()
    for step, draw in enumerate(loader, done + 1):
        log.add(update(network, optimizer, draw, schedule, accelerator))
        average.update_parameters(accelerator.unwrap_model(network))
        if step % LOG_EVERY == 0 or step == args.steps:
            log.write(step)
        if step % args.every == 0 or step == args.steps:
            accelerated.save_state(accelerator, args.state, step, named)
            if accelerator.is_main_process:
                tensors = weights.tensors_of(average.module)
                weights.save(args.out, tensors, card | {"updates": step})
    accelerator.end_training()


def averaged(network: PaperNetwork, decay: float) -> AveragedModel:
    """Exponentially averaged weights; the average is short at first and forgets the start."""

    def mix(kept: list[torch.Tensor], seen: list[torch.Tensor], updates: torch.Tensor) -> None:
        n = int(updates)
        torch._foreach_lerp_(kept, seen, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(network, multi_avg_fn=mix)


def update(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    draw: Draw,
    schedule: DDPMScheduler,
    accelerator: Accelerator,
) -> torch.Tensor:
    """One update on a batch of samples; returns its error and its bound, [2]."""
    image = draw["image"].to(memory_format=torch.channels_last)
    noisy = schedule.add_noise(image, draw["noise"], draw["step"])
    output = network(noisy, draw["step"], draw["planes"].to(memory_format=torch.channels_last))
    # Adding noise has moved them to the images' device.
    alphas_cumprod = schedule.alphas_cumprod
    error, bound = hybrid_loss(output, image, draw["noise"], noisy, draw["step"], alphas_cumprod)
    accelerator.backward((error + BOUND_WEIGHT * bound).mean())
    optimizer.step()
    optimizer.zero_grad()
    return torch.stack([error.detach().mean(), bound.detach().mean()])


class _Log:
    """Means over the updates since the last line and over all processes, a JSON object a line."""

    def __init__(self, accelerator: Accelerator, path: Path, resume: bool):
        self.accelerator, self.path = accelerator, path
        self.started = time.monotonic()
        self.seen: list[torch.Tensor] = []
        if accelerator.is_main_process:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not resume:
                path.unlink(missing_ok=True)

    def add(self, losses: torch.Tensor) -> None:
        self.seen.append(losses)

    def write(self, step: int) -> None:
        means = self.accelerator.reduce(torch.stack(self.seen).mean(0), "mean").tolist()
        self.seen = []
        record = {
            "step": step,
            "minutes": round((time.monotonic() - self.started) / 60, 2),
            "error": round(means[0], 5),
            "bound": round(means[1], 5),
        }
        if self.accelerator.is_main_process:
            with self.path.open("a") as lines:
                lines.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
