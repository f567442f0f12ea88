# SPDX-License-Identifier: Apache-2.0
"""Mixed precision on any device, and the learning rate."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from semcom_ros.errors import SemcomError

SLOWER = 0.6
"""Of the learning rate: that of parameters which know much already, as pretrained ones."""
SKIPPED = 20
"""So many updates in a row without finite gradients are no accident."""


class MixedPrecision:
    """AdamW on float32 masters of a network that computes in bfloat16, with an average of them.

    Convolutions hold bfloat16 weights, so no cast stands in the loop; normalisations stay float32.
    network: the one given, moved to `device`. slow: those of its parameters that learn at `SLOWER`
    of the rate. average: the network with exponentially averaged
    weights, in float32, for scoring and saving.
    """

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        decay: float,
        weight_decay: float,
        slow: Iterable[nn.Parameter] = (),
    ):
        held_back = set(map(id, slow))
        slower = [id(parameter) in held_back for parameter in network.parameters()]
        self.average = copy.deepcopy(network).to(device).eval().requires_grad_(False)
        self.network = network.to(device, torch.bfloat16, memory_format=torch.channels_last).train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.float()
            wide = isinstance(module, nn.Conv2d) and max(module.dilation) > 1
            if wide and device.type == "cpu":
                # oneDNN's gradient of their bfloat16 weights is NaN at times, or outside memory.
                module.float().register_forward_pre_hook(lambda _, given: given[0].float())
                module.register_forward_hook(lambda _, given, made: made.bfloat16())
        # Statistics are not rounded with the weights: those of a part at rest stay what they were.
        for seen, given in zip(self.network.buffers(), self.average.buffers(), strict=True):
            seen.copy_(given)
        self.used = list(network.parameters())
        # As they were given: a part that does not learn stays what it was, to the last bit.
        given = zip(self.used, self.average.parameters(), strict=True)
        # Laid out as the gradients will be: the fused step takes no others.
        self.masters = [torch.empty_like(u, dtype=torch.float32).copy_(p) for u, p in given]
        for master in self.masters:
            master.requires_grad_(True)
        self.decay, self.steps = decay, 0
        self.skipped = torch.zeros((), device=device)
        groups = [
            {
                "params": [
                    master
                    for master, held in zip(self.masters, slower, strict=True)
                    if (master.ndim > 1, held) == (kernel, slow_group)
                ],
                "weight_decay": weight_decay if kernel else 0.0,
                "factor": SLOWER if slow_group else 1.0,
            }
            for slow_group in (False, True)
            for kernel in (True, False)
        ]
        # Fused, the step is left out on the GPU itself where gradients overflow.
        self.fused = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            groups, betas=(0.9, 0.98), fused=self.fused, foreach=not self.fused
        )

    def step(self, rate: float) -> torch.Tensor:
        """Apply the gradients in the network at learning rate `rate`; returns their norm."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        found = [(u, m) for u, m in zip(self.used, self.masters, strict=True) if u.grad is not None]
        for master in self.masters:
            master.grad = None
        # All at once: every tensor by itself is a launch.
        gradients = [torch.empty_like(master) for _, master in found]
        if found:
            torch._foreach_copy_(gradients, [used.grad for used, _ in found])
        for (used, master), gradient in zip(found, gradients, strict=True):
            master.grad, used.grad = gradient, None
        norm = nn.utils.clip_grad_norm_(self.masters, 5.0)
        # Counted where it lies: a GPU is not waited for.
        overflow = (~norm.isfinite()).float()
        self.skipped = (self.skipped + 1) * overflow
        if self.fused:
            self.optimizer.found_inf = overflow
        if self.fused or not overflow:
            self.optimizer.step()
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_copy_(self.used, self.masters)
            torch._foreach_lerp_(list(self.average.parameters()), self.masters, 1 - decay)
            for kept, seen in zip(self.average.buffers(), self.network.buffers(), strict=True):
                kept.copy_(seen)
        return norm

    def check(self) -> None:
        """Raise SemcomError where the latest updates have changed nothing."""
        if self.skipped >= SKIPPED:
            raise SemcomError(
                f"The gradients of {int(self.skipped)} updates in a row were not finite, and "
                "nothing was learned from them: take a lower --rate, or another --device."
            )

    def state(self) -> dict[str, Any]:
        """All that `restore` needs to go on as if it had never stopped."""
        return {
            "masters": [master.detach() for master in self.masters],
            "buffers": list(self.network.buffers()),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any], weights_alone: bool = False) -> None:
        """Go on where `state` was taken; weights_alone: as a new run that begins there."""
        with torch.no_grad():
            for name, kept in (("masters", self.masters), ("buffers", self.network.buffers())):
                for tensor, saved in zip(kept, state[name], strict=True):
                    tensor.copy_(saved)
            torch._foreach_copy_(self.used, self.masters)
        if not weights_alone:
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.load_state_dict(state["average"])
            self.steps = state["steps"]


def cosine(step: int, steps: float, peak: float, warm_up: int = 200) -> float:
    """Learning rate at `step` of `steps`: linear warm-up to `peak`, then half a cosine to zero."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
