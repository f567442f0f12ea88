# SPDX-License-Identifier: Apache-2.0
"""The training loop that every recipe shares: mixed precision, warm-up, averaging, log, best."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn


class MixedPrecision:
    """AdamW on float32 masters of a network that computes in `dtype`, with an average of them.

    Convolutions hold `dtype` weights, so no cast stands in the loop; normalisations stay float32.
    average: the network with exponentially averaged weights, in float32, for scoring and saving.
    """

    def __init__(self, network: nn.Module, dtype: torch.dtype, decay: float, weight_decay: float):
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network = network.to(dtype=dtype, memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.float()
        self.pairs = [
            (p, p.detach().float().clone().requires_grad_(True)) for p in network.parameters()
        ]
        self.decay = decay
        self.steps = 0
        convolutions = [m for _, m in self.pairs if m.ndim > 1]
        others = [m for _, m in self.pairs if m.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": convolutions, "weight_decay": weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            betas=(0.9, 0.98),
            foreach=True,
        )

    def step(self, rate: float) -> float:
        """Apply the gradients in the network at learning rate `rate`; returns their norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        for used, master in self.pairs:
            master.grad = used.grad.float() if used.grad is not None else None
            used.grad = None
        norm = float(nn.utils.clip_grad_norm_([m for _, m in self.pairs], 5.0))
        if math.isfinite(norm):
            self.optimizer.step()
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            masters = [m for _, m in self.pairs]
            torch._foreach_copy_([u for u, _ in self.pairs], masters)
            torch._foreach_lerp_(list(self.average.parameters()), masters, 1 - decay)
            for kept, seen in zip(self.average.buffers(), self.network.buffers(), strict=True):
                kept.copy_(seen)
        return norm


def cosine(step: int, steps: int, peak: float, warm_up: int = 200) -> float:
    """Learning rate at `step` of `steps`: linear warm-up to `peak`, then half a cosine to zero."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def train(
    update: Callable[[int], dict[str, float]],
    steps: int,
    score: Callable[[], dict[str, float]],
    keep: Callable[[dict[str, float]], None],
    best_by: str,
    log: Path,
    every: int,
    compete_from: int = 0,
) -> dict[str, float]:
    """Run `update(step)` for `steps` steps and keep the best by the score named `best_by`.

    Every `every` steps and at the end `score()` is taken, logged to `log` (a JSON object a line)
    and printed; `keep(scores)` saves when `best_by` is higher than ever after step `compete_from`,
    and every time before. Returns the best scores.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    best: dict[str, float] = {best_by: -math.inf}
    sums: dict[str, float] = {}
    started = time.monotonic()
    with log.open("w") as lines:
        for step in range(steps):
            for name, value in update(step).items():
                sums[name] = sums.get(name, 0.0) + value
            if (step + 1) % every and step + 1 < steps:
                continue
            scores = score()
            seen = (step % every) + 1
            record = {
                "step": step + 1,
                "minutes": round((time.monotonic() - started) / 60, 2),
                **{name: round(total / seen, 5) for name, total in sums.items()},
                **{name: round(value, 5) for name, value in scores.items()},
            }
            sums = {}
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            print(json.dumps(record), flush=True)
            if step < compete_from:
                keep(scores)
            elif scores[best_by] > best[best_by]:
                best = scores
                keep(scores)
    return best
