# SPDX-License-Identifier: Apache-2.0
"""Images from maps by the paper's network: ancestral sampling or DDIM, classifier-free guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from semcom_ros.errors import SemcomError

Network = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""Called as a `PaperNetwork` is."""
STEPS = 1000
GUIDANCE = {"cityscapes": 2.0, "coco": 2.5}
"""The paper's strength s of guidance by data set."""
_SCHEDULE = {
    "num_train_timesteps": STEPS,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "prediction_type": "epsilon",
    "clip_sample": True,
}


def scheduler() -> DDPMScheduler:
    """Linear betas of 1e-4 to 0.02 over `STEPS`, for images in -1..1; a step back has the learned
    variance."""
    # From the last step down to step 0, however few there are.
    return DDPMScheduler(**_SCHEDULE, variance_type="learned_range", timestep_spacing="linspace")


def implicit_scheduler() -> DDIMScheduler:
    """The same schedule, walked without noise: DDIM (Song, Meng, Ermon, arXiv 2010.02502)."""
    # The walk ends at the clean image, from wherever its last step is.
    return DDIMScheduler(**_SCHEDULE, timestep_spacing="trailing")


def guided(
    network: Network,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    planes: torch.Tensor,
    guidance: float,
) -> torch.Tensor:
    """The network's output [B, 6, H, W] with its noise pushed away from that of the null map.

    eps(y) + s (eps(y) - eps(null)), equation 14 of the paper; the released code's s is 1 more. The
    variance is that of y. Both passes run as one batch; an s of 0 needs but one.
    """
    if not guidance:
        return network(noisy, steps, planes).float()
    output = network(
        torch.cat([noisy, noisy]),
        torch.cat([steps, steps]),
        torch.cat([planes, torch.zeros_like(planes)]),
    ).float()
    (epsilon, fraction), (null, _) = (o.chunk(2, 1) for o in output.chunk(2))
    return torch.cat([epsilon + guidance * (epsilon - null), fraction], 1)


@torch.inference_mode()
def sample(
    network: Network,
    planes: torch.Tensor,
    seeds: Sequence[int],
    steps: int = STEPS,
    guidance: float = GUIDANCE["cityscapes"],
    sampler: str = "ancestral",
) -> torch.Tensor:
    """Images [B, 3, H, W] in -1..1 of `planes` [B, planes, H, W], one-hot or soft, in the
    network's own precision.

    steps: passes of the network, the whole schedule or spread evenly over it. seeds: of each
    image's noise, the same on every device. sampler: `ancestral`, as the paper has it, or `ddim`.
    Raises SemcomError for a number of steps that does not divide the schedule.
    """
    if not 2 <= steps <= STEPS or STEPS % steps:
        raise SemcomError(
            f"The schedule of {STEPS} steps cannot be walked in {steps}: give a divisor of it, "
            "as 10, 50, 250 or 1000."
        )
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    schedule = implicit_scheduler() if sampler == "ddim" else scheduler()
    schedule.set_timesteps(steps)
    shape = (3, *planes.shape[-2:])
    x = torch.stack([torch.randn(shape, generator=one) for one in noise]).to(planes.device)
    for step in schedule.timesteps:
        now = step.to(planes.device).expand(len(x))
        output = guided(network, x.to(planes.dtype), now, planes, guidance)
        if isinstance(schedule, DDIMScheduler):
            how: dict[str, Any] = {"use_clipped_model_output": True}
            output = output[:, :3]
        else:  # a list gives each image noise of its own
            how = {"generator": noise}
        x = schedule.step(output, step, x, return_dict=False, **how)[0]
    return x.clamp(-1, 1)
