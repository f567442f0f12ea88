# SPDX-License-Identifier: Apache-2.0
"""The noise schedule of the diffusion, and where on it sampling starts."""

from __future__ import annotations

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler, rescale_zero_terminal_snr

TRAIN_STEPS = 1000
PICTURE_STEPS = 400
"""Steps of the schedule that stay where sampling starts from a received picture: there its noise
hides what the picture lacks, and its colours show through."""


def betas() -> torch.Tensor:
    """float32 [TRAIN_STEPS]: linear from 1e-4 to 0.02, rescaled so that the last is pure noise."""
    return rescale_zero_terminal_snr(torch.linspace(1e-4, 0.02, TRAIN_STEPS))


def scheduler(from_picture: bool) -> DDIMScheduler:
    """A sampler over the whole schedule, or over its first part when it starts from a picture."""
    used = betas()[: PICTURE_STEPS if from_picture else TRAIN_STEPS]
    return DDIMScheduler(
        num_train_timesteps=len(used),
        trained_betas=used.numpy(),
        prediction_type="sample",
        timestep_spacing="trailing",
        clip_sample=True,
    )
