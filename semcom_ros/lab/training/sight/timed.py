# SPDX-License-Identifier: Apache-2.0
"""Training by the clock: a machine lent for minutes is used to the end, and no longer."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

SAVED = 30.0
"""Seconds between states on disk, and between lines of the log."""
WARM_UP, FIRST = 0.04, 60
"""Part of the time, and updates, in which the rate rises: the first update alone may take seconds,
while the device tries which of its convolutions is fastest."""


class Learner:
    """AdamW on float32 masters of a network that computes in bfloat16, and their average.

    Nothing here waits for the device. slow: the parameters that learn at `SLOWER` of the rate,
    as pretrained ones do. average: the averaged network in float32.
    """

    SLOWER = 0.6
    DECAY = 0.997

    def __init__(self, network: nn.Module, slow: nn.Module | None, device: str, weight_decay=0.03):
        network = network.to(device)
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.network = network.to(torch.bfloat16, memory_format=torch.channels_last).train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.float()
        held_back = {id(p) for p in slow.parameters()} if slow is not None else set()
        self.used = list(network.parameters())
        self.masters = [p.detach().float().clone().requires_grad_(True) for p in self.used]
        groups: dict[tuple[bool, bool], list[torch.Tensor]] = {}
        for used, master in zip(self.used, self.masters, strict=True):
            groups.setdefault((id(used) in held_back, used.ndim > 1), []).append(master)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": tensors,
                    "weight_decay": weight_decay if kernel else 0.0,
                    "factor": self.SLOWER if held else 1.0,
                }
                for (held, kernel), tensors in groups.items()
            ],
            betas=(0.9, 0.98),
            foreach=True,
        )
        self.steps = 0

    def step(self, rate: float) -> None:
        """Apply the gradients in the network at learning rate `rate`."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        for used, master in zip(self.used, self.masters, strict=True):
            master.grad = None if used.grad is None else used.grad.float()
            used.grad = None
        nn.utils.clip_grad_norm_(self.masters, 5.0, foreach=True)
        self.optimizer.step()
        self.steps += 1
        decay = min(self.DECAY, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_copy_(self.used, self.masters)
            torch._foreach_lerp_(list(self.average.parameters()), self.masters, 1 - decay)
            kept, seen = (
                [b for b in n.buffers() if b.is_floating_point()]
                for n in (self.average, self.network)
            )
            torch._foreach_copy_(kept, seen)

    def state(self) -> dict:
        """All that `resume` needs."""
        return {
            "masters": self.masters,
            "average": self.average.state_dict(),
            "buffers": list(self.network.buffers()),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
        }

    def resume(self, state: dict) -> None:
        """Go on from what `state` gave."""
        with torch.no_grad():
            for to, tensors in ((self.masters, "masters"), (self.used, "masters")):
                for mine, saved in zip(to, state[tensors], strict=True):
                    mine.copy_(saved)
            for mine, saved in zip(self.network.buffers(), state["buffers"], strict=True):
                mine.copy_(saved)
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]


@dataclass(frozen=True)
class Plan:
    """How long a stage trains, at which peak rate, and where its state and log lie.

    updates: ends it sooner, for trials. Without `state` nothing is kept to resume from.
    """

    seconds: float
    rate: float
    log: Path
    state: Path | None = None
    updates: int | None = None


def rate_at(part: float, peak: float) -> float:
    """Learning rate when `part` (0 to 1) of the time is over: a rise, then half a cosine to 0."""
    if part < WARM_UP:
        return peak * max(part / WARM_UP, 0.02)
    return peak * 0.5 * (1 + math.cos(math.pi * min(1.0, (part - WARM_UP) / (1 - WARM_UP))))


def train(learner: Learner, losses: Callable[[], dict[str, torch.Tensor]], plan: Plan) -> int:
    """Update `learner` by the sum of `losses()` until the plan's time is over; returns how often.

    Goes on from the plan's state where there is one.
    """
    plan.log.parent.mkdir(parents=True, exist_ok=True)
    spent = 0.0
    if plan.state is not None and plan.state.is_file():
        saved = torch.load(plan.state, weights_only=True)
        learner.resume(saved)
        spent = saved["spent"]
    with plan.log.open("a") as log:
        for part, due in _clock(learner, plan, spent):
            parts = losses()
            sum(parts.values()).backward()
            learner.step(rate_at(part, plan.rate) * min(1.0, (learner.steps + 1) / FIRST))
            if due:
                told = {name: round(float(value.detach()), 4) for name, value in parts.items()}
                seconds = round(part * plan.seconds, 1)
                line = json.dumps({"updates": learner.steps, "seconds": seconds, **told})
                log.write(f"{line}\n")
                log.flush()
                print(line, flush=True)
                if plan.state is not None:
                    torch.save({**learner.state(), "spent": part * plan.seconds}, plan.state)
    return learner.steps


def _clock(learner: Learner, plan: Plan, spent: float) -> Iterator[tuple[float, bool]]:
    """The part of the time that is over before each update, and whether to save after it."""
    started, saved = time.monotonic() - spent, time.monotonic()
    while True:
        now = time.monotonic()
        part = (now - started) / plan.seconds
        if plan.updates is not None:
            part = learner.steps / plan.updates
        if part >= 1:
            return
        due = now - saved >= SAVED or learner.steps in (4, 19, 99)
        if due:
            saved = now
        yield part, due
