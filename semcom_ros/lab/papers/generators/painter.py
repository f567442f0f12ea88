# SPDX-License-Identifier: Apache-2.0
"""Generators in the place of GESCO's: anything that paints as `ImageDiffusion` does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gesco.diffusion import ImageDiffusion
from semcom_ros.codecs.gesco.paper.network import PaperNetwork
from semcom_ros.codecs.gesco.paper.sampling import sample
from semcom_ros.lab.papers.generators import networks
from semcom_ros.lab.papers.generators.narrow_sdm import NarrowSdm
from semcom_ros.lab.papers.generators.spade import MapGenerator
from semcom_ros.layers.class_shares import SHARES_STRIDE, ClassShares
from semcom_ros.layers.image_input import to_images

PASSES = 10
"""Of SDM's network for an image; its paper takes 1000."""


class OnePass:
    """Images of maps by one pass of a copy of `network`, whose planes stand for trainIds `classes`.

    seed: of the noise, the same for every frame that brings no seed of its own.
    """

    def __init__(
        self, network: nn.Module, classes: Sequence[int], device: str = "cpu", seed: int = 0
    ):
        self.device, self.seed = torch.device(device), seed
        self.class_shares = ClassShares(classes, stride_of(network))
        self.network = copy.deepcopy(network).float().eval().requires_grad_(False).to(device)
        self.network.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def __call__(
        self,
        class_shares: Sequence[np.ndarray],
        thumbnails: Sequence[np.ndarray] | None = None,
        steps: int = 1,
        from_picture: Sequence[bool] | None = None,
        guidance: float = 0.0,
        seeds: Sequence[int] | None = None,
    ) -> list[np.ndarray]:
        """Images uint8 [H, W, 3] of class shares float32 [classes, h, w]; it knows no thumbnail and
        no steps, and only diffusions know guidance."""
        planes = torch.from_numpy(np.stack(class_shares)).to(self.device)
        seeds = seeds or [self.seed] * len(planes)
        with torch.autocast(self.device.type, torch.bfloat16):
            images = self.paint(planes, seeds, guidance)
        return list(to_images(images.float().mul(255)))

    def paint(self, planes: torch.Tensor, seeds: Sequence[int], guidance: float) -> torch.Tensor:
        """Images [B, 3, H, W] in 0..1."""
        size = self.network.noise_size(planes)
        drawn = [torch.randn(size, generator=torch.Generator().manual_seed(s)) for s in seeds]
        return self.network(planes, torch.stack(drawn).to(self.device))


class Walk(OnePass):
    """By `PASSES` of SDM's, without noise (DDIM); two where it is guided."""

    def paint(self, planes: torch.Tensor, seeds: Sequence[int], guidance: float) -> torch.Tensor:
        planes = F.interpolate(planes, scale_factor=self.class_shares.stride)
        return (sample(self.network, planes, seeds, PASSES, guidance, "ddim") + 1) / 2


def stride_of(network: nn.Module) -> int:
    """Pixels to a place of the planes that it hears, each way."""
    if isinstance(network, PaperNetwork):
        return SHARES_STRIDE if isinstance(network, NarrowSdm) else 1
    return network.shuffle if isinstance(network, MapGenerator) else SHARES_STRIDE


def painter(
    network: nn.Module, classes: Sequence[int], device: str = "cpu"
) -> OnePass | ImageDiffusion:
    """What runs a network of `networks`."""
    if isinstance(network, MapGenerator):
        return OnePass(network, classes, device)
    if isinstance(network, PaperNetwork):
        return Walk(network, classes, device)
    return ImageDiffusion(network, classes, device)


def from_pretrained(name: str, path: Path, device: str = "cpu") -> OnePass | ImageDiffusion:
    """That of the weights of `name` in `path`. Raises SemcomError."""
    return painter(*networks.load(name, path), device)
