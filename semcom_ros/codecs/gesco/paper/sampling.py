# SPDX-License-Identifier: Apache-2.0
"""Images from maps by the paper's network: ancestral sampling with classifier-free guidance."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcom_ros import weights
from semcom_ros.codecs.gesco.paper.configuration import PLANES, Configuration
from semcom_ros.codecs.gesco.paper.diffusion import STEPS, scheduler
from semcom_ros.codecs.gesco.paper.network import PaperNetwork
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import NAMES

FILE = "gesco_paper.safetensors"
RECIPE = "semcom train gesco-paper --data cityscapes:DIR"
GUIDANCE = {"cityscapes": 2.0, "coco": 2.5}
"""The paper's strength s of guidance by data set."""


def guided(
    network: PaperNetwork,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    planes: torch.Tensor,
    guidance: float,
) -> torch.Tensor:
    """The network's output [B, 6, H, W] with its noise pushed away from that of the null map.

    eps(y) + s (eps(y) - eps(null)), equation 14 of the paper; the released code's s is 1 more.
    The variance is that of y. Both passes run as one batch.
    """
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
    generator: torch.Generator,
    steps: int = STEPS,
    guidance: float = GUIDANCE["cityscapes"],
) -> torch.Tensor:
    """Images [B, 3, H, W] in -1..1 of `planes` [B, PLANES, H, W], one-hot or soft.

    steps: passes of the network, the whole schedule or spread evenly over it. A generator on the
    CPU gives the same noise on every device. Raises SemcomError for a number of steps that the
    schedule lacks.
    """
    if not 2 <= steps <= STEPS:
        raise SemcomError(f"The schedule cannot be walked in {steps} steps: give 2 to {STEPS}.")
    schedule = scheduler()
    schedule.set_timesteps(steps)
    batch, _, height, width = planes.shape
    x = torch.randn(batch, 3, height, width, generator=generator, device=generator.device)
    x = x.to(planes.device)
    for step in schedule.timesteps:
        now = step.to(planes.device).expand(batch)
        output = guided(network, x, now, planes, guidance)
        x = schedule.step(output, step, x, generator=generator, return_dict=False)[0]
    return x.clamp(-1, 1)


class PaperGenerator:
    """Soft planes float32 [PLANES, H, W], as fast denoising leaves them, -> uint8 [H, W, 3] RGB.

    Raises SemcomError for weights that are missing, altered, of other classes, of another network
    than their card says or trained at another size than `size` (H, W).
    """

    def __init__(
        self, path: Path | None = None, device: str = "cpu", size: tuple[int, int] = WORK_SIZE
    ):
        self.device, self.size = torch.device(device), size
        self.network = load_network(path or weights.models_dir() / FILE, size).to(self.device)

    def __call__(
        self,
        planes: np.ndarray,
        seed: int,
        steps: int = STEPS,
        guidance: float = GUIDANCE["cityscapes"],
    ) -> np.ndarray:
        """The same image for the same arguments. Raises SemcomError for planes of another shape."""
        if planes.shape != (PLANES, *self.size):
            raise SemcomError(
                f"Planes of shape {planes.shape} do not fit the network: "
                f"give {(PLANES, *self.size)}."
            )
        generator = torch.Generator().manual_seed(seed)
        tensor = torch.from_numpy(planes).to(self.device)[None]
        with torch.autocast(self.device.type, torch.bfloat16):
            image = sample(self.network, tensor, generator, steps, guidance)[0]
        levels = (image + 1).mul(127.5).round().to(torch.uint8)
        return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())


def card_of(configuration: Configuration, size: tuple[int, int]) -> dict[str, Any]:
    """What `load_network` reads from a card beside the classes."""
    return {"network": asdict(configuration), "size": list(size)}


def load_network(path: Path, size: tuple[int, int] = WORK_SIZE) -> PaperNetwork:
    """The network in `path`, float32, for inference at `size`; raises SemcomError as above."""
    tensors, card = weights.load(path, RECIPE)
    classes = weights.classes_of(card, path)
    if classes != tuple(range(len(NAMES))):
        raise SemcomError(
            f"The weights {path} know {len(classes)} classes, not the {len(NAMES)} of the label "
            f"space in their order: make others with `{RECIPE}`."
        )
    try:
        trained = tuple(card["size"])
        sizes: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in card["network"].items()
        }
        configuration = Configuration(**sizes)
    except (KeyError, TypeError, AttributeError):
        raise SemcomError(
            f"The card of {path} does not describe this network: make it anew with `{RECIPE}`."
        ) from None
    if trained != size:
        raise SemcomError(
            f"The weights {path} were trained at {trained[0]}x{trained[1]}, not "
            f"{size[0]}x{size[1]}: ask for that size, or train others with --size."
        )
    network = PaperNetwork(configuration)
    weights.fill(network, tensors, path)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints lack it
    return network.eval().requires_grad_(False)
