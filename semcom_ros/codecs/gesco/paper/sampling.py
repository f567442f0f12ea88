# SPDX-License-Identifier: Apache-2.0
"""Images from maps by the paper's network: ancestral sampling with classifier-free guidance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import NAMES
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_images

FILE = "gesco_paper.safetensors"
RECIPE = "semcom train gesco-paper --data cityscapes:DIR"
STEPS = 1000
GUIDANCE = {"cityscapes": 2.0, "coco": 2.5}
"""The paper's strength s of guidance by data set."""


def scheduler() -> DDPMScheduler:
    """Linear betas of 1e-4 to 0.02 over `STEPS`, for images in -1..1."""
    return DDPMScheduler(
        num_train_timesteps=STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        variance_type="learned_range",
        prediction_type="epsilon",
        clip_sample=True,
        # From the last step down to step 0, however few there are.
        timestep_spacing="linspace",
    )


def guided(
    network: PaperNetwork,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    planes: torch.Tensor,
    guidance: float,
) -> torch.Tensor:
    """The network's output [B, 6, H, W] with its noise pushed away from that of the null map.

    eps(y) + s (eps(y) - eps(null)), equation 14 of the paper; the released code's s is 1 more.
    The variance is that of y. Both passes run as one batch; an s of 0 needs but one.
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
    network: PaperNetwork,
    planes: torch.Tensor,
    seeds: Sequence[int],
    steps: int = STEPS,
    guidance: float = GUIDANCE["cityscapes"],
) -> torch.Tensor:
    """Images [B, 3, H, W] in -1..1 of `planes` [B, PLANES, H, W], one-hot or soft.

    steps: passes of the network, the whole schedule or spread evenly over it. seeds: of each
    image's noise, the same on every device. Raises SemcomError for a number of steps that the
    schedule lacks.
    """
    if not 2 <= steps <= STEPS:
        raise SemcomError(f"The schedule cannot be walked in {steps} steps: give 2 to {STEPS}.")
    schedule = scheduler()
    schedule.set_timesteps(steps)
    noise = [torch.Generator().manual_seed(seed) for seed in seeds]
    shape = (3, *planes.shape[-2:])
    x = torch.stack([torch.randn(shape, generator=one) for one in noise]).to(planes.device)
    for step in schedule.timesteps:
        now = step.to(planes.device).expand(len(x))
        output = guided(network, x, now, planes, guidance)
        # A list gives each image noise of its own, whatever the hints say.
        x = schedule.step(output, step, x, generator=noise, return_dict=False)[0]  # type: ignore[arg-type]
    return x.clamp(-1, 1)


class PaperDiffusion:
    """The paper's network in place of `ImageDiffusion`, whose call it shares.

    It knows no thumbnail. passes: of the network for an image, where the codec is set to one step,
    with which the shipped network is content.
    """

    def __init__(
        self, network: PaperNetwork, device: str = "cpu", seed: int = 0, passes: int = STEPS
    ):
        self.device, self.seed, self.passes = torch.device(device), seed, passes
        self.network = network.to(self.device)
        self.class_shares = ClassShares(range(len(NAMES)), stride=1)

    @classmethod
    def from_pretrained(
        cls, path: Path | None = None, device: str = "cpu", passes: int = STEPS
    ) -> PaperDiffusion:
        """That of a weights file, or of a folder that holds `FILE`. Raises SemcomError."""
        return cls(load_network(weights.file_at(path, FILE), device), device, passes=passes)

    def __call__(
        self,
        class_shares: Sequence[np.ndarray],
        thumbnails: Sequence[np.ndarray] | None = None,
        steps: int = 1,
        from_picture: Sequence[bool] | None = None,
        guidance: float = 0.0,
        seeds: Sequence[int] | None = None,
    ) -> list[np.ndarray]:
        """Images uint8 [H, W, 3], all the same for the same arguments.

        class_shares: float32 [19, H, W] each, by trainId; what they leave of 1 is void. steps:
        passes from 2 to `STEPS`, or 1 for `passes`. guidance: the paper's s. seeds: of each image's
        noise, by default all have the same. Raises SemcomError.
        """
        known = torch.from_numpy(np.stack(class_shares)).to(self.device)
        planes = torch.cat([known, (1 - known.sum(1, keepdim=True)).clamp(min=0)], 1)
        seeds = [self.seed] * len(known) if seeds is None else seeds
        passes = self.passes if steps == 1 else steps
        with torch.autocast(self.device.type, torch.bfloat16):
            images = sample(self.network, planes, seeds, passes, guidance)
        return list(to_images((images + 1).mul(127.5)))


def load_network(
    path: Path, device: str = "cpu", size: tuple[int, int] = WORK_SIZE
) -> PaperNetwork:
    """The network in `path`, float32, for inference at `size` (H, W).

    Raises SemcomError for weights that are missing, altered, of other classes, of another network
    than their card says or trained at another size.
    """
    tensors, card = weights.load(path, RECIPE)
    network = PaperNetwork(GescoPaperSizes.of_card(card, size, path, RECIPE))
    weights.fill(network, tensors, path)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    return network.eval().requires_grad_(False)
