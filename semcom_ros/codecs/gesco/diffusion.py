# SPDX-License-Identifier: Apache-2.0
"""Runs the diffusion: from class shares and a thumbnail to an image of the street, in few steps.

Denoising diffusion implicit models (Song, Meng, Ermon, arXiv 2010.02502) with a network that
predicts the clean image, on the linear schedule of a thousand steps with its last one pure noise
(Lin et al., arXiv 2305.08891). Where a coarse picture was received, sampling starts from that
picture, noisy, and not from noise alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from semcom_ros import weights
from semcom_ros.codecs.gesco.diffusion_network import Conditions, DiffusionNetwork
from semcom_ros.codecs.gesco.schedule import scheduler
from semcom_ros.errors import SemcomError
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.residual import for_inference

FILE = "gesco_diffusion.safetensors"
RECIPE = "semcom train gesco --camvid DIR"
STEPS = (1, 2, 4, 8)
"""Passes to choose from."""


class ImageDiffusion:
    """class shares float32 [classes, 128, 256] and a thumbnail float32 [16, 32, 3] -> image.

    seed: of the noise that sampling starts from. The same noise for every frame of a vehicle keeps
    a drive from flickering; a frame may bring a seed of its own.
    """

    def __init__(self, path: Path | None = None, device: str = "cpu", seed: int = 0):
        path = path or weights.models_dir() / FILE
        tensors, card = weights.load(path, RECIPE)
        classes = weights.classes_of(card, path)
        network = DiffusionNetwork(len(classes))
        weights.fill(network, tensors, path)
        self._prepare(network, classes, device, seed)

    @classmethod
    def of(
        cls, network: DiffusionNetwork, classes: tuple[int, ...], device: str = "cpu", seed: int = 0
    ) -> ImageDiffusion:
        """Around a copy of `network`, whose planes stand for trainIds `classes`."""
        self = cls.__new__(cls)
        self._prepare(copy.deepcopy(network), classes, device, seed)
        return self

    def _prepare(
        self, network: DiffusionNetwork, classes: tuple[int, ...], device: str, seed: int
    ) -> None:
        self.device, self.seed = device, seed
        self.class_shares = ClassShares(classes)
        self.network = for_inference(network, torch.bfloat16).to(device)
        self._kept_noise: tuple[tuple[int, tuple[int, ...]], torch.Tensor] | None = None

    @torch.inference_mode()
    def __call__(
        self,
        class_shares: Sequence[np.ndarray],
        thumbnails: Sequence[np.ndarray],
        steps: int = 1,
        from_picture: Sequence[bool] | None = None,
        guidance: float = 0.0,
        seeds: Sequence[int] | None = None,
    ) -> list[np.ndarray]:
        """Images uint8 [256, 512, 3] after `steps` steps (1, 2, 4 or 8).

        class_shares: float32 [classes, 128, 256] each. thumbnails: float32 [16, 32, 3] each.
        from_picture: whether an image starts from its thumbnail with noise, as by default all do,
        or from noise alone. guidance: weight s of classifier-free guidance, x(y) + s (x(y) -
        x(null)), both in one pass; 0 goes without. seeds: of each image's noise, by default all
        have the same. Raises SemcomError.
        """
        if steps not in STEPS:
            raise SemcomError(f"The diffusion takes 1, 2, 4 or 8 steps, not {steps}.")
        ways = [True] * len(class_shares) if from_picture is None else list(from_picture)
        images: dict[int, np.ndarray] = {}
        for way in set(ways):
            places = [i for i, one in enumerate(ways) if one == way]
            found = self._sample(
                torch.from_numpy(np.stack([class_shares[i] for i in places])),
                torch.from_numpy(np.stack([thumbnails[i] for i in places])).permute(0, 3, 1, 2),
                steps,
                way,
                guidance,
                [self.seed if seeds is None else seeds[i] for i in places],
            )
            images |= zip(places, found, strict=True)
        return [images[i] for i in range(len(ways))]

    def _sample(
        self,
        planes: torch.Tensor,
        coarse: torch.Tensor,
        steps: int,
        from_picture: bool,
        guidance: float,
        seeds: Sequence[int],
    ) -> np.ndarray:
        """Images uint8 [B, H, W, 3] that all start in the same way."""
        n = len(planes)
        if guidance:
            planes = torch.cat((planes, torch.zeros_like(planes)))
            coarse = coarse.repeat(2, 1, 1, 1)
        conditions = self.network.condition(self._input(planes), self._input(coarse))
        sampler = scheduler(from_picture)
        sampler.set_timesteps(steps)
        x = self._start(conditions.picture[:n].float(), sampler, from_picture, seeds)
        for t in sampler.timesteps:
            clean = self._denoise(x, sampler, int(t), conditions, guidance)
            # What is left of the noise belongs to an image in range: guidance leads out of it.
            x = sampler.step(2 * clean.clamp(0, 1) - 1, int(t), x, return_dict=False)[0]
        images = (x + 1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
        return np.ascontiguousarray(images.permute(0, 2, 3, 1).cpu().numpy())

    def _denoise(
        self,
        x: torch.Tensor,
        sampler: DDIMScheduler,
        t: int,
        conditions: Conditions,
        guidance: float,
    ) -> torch.Tensor:
        signal = sampler.alphas_cumprod[t]
        log_snr = torch.log(signal / (1 - signal)).to(self.device)
        if not guidance:
            return self.network.denoise(self._input(x), log_snr.expand(len(x)), conditions).float()
        both = self.network.denoise(
            self._input(x.repeat(2, 1, 1, 1)), log_snr.expand(2 * len(x)), conditions
        ).float()
        given, null = both.chunk(2)
        return (1 + guidance) * given - guidance * null

    def _start(
        self,
        pictures: torch.Tensor,
        sampler: DDIMScheduler,
        from_picture: bool,
        seeds: Sequence[int],
    ) -> torch.Tensor:
        noise = torch.stack([self._noise_of(tuple(pictures.shape[1:]), seed) for seed in seeds])
        if not from_picture:
            return noise
        return sampler.add_noise(
            2 * pictures - 1, noise, cast(torch.IntTensor, sampler.timesteps[:1])
        )

    def _noise_of(self, shape: tuple[int, ...], seed: int) -> torch.Tensor:
        # Bound once: another thread may put the noise of its own seed in place.
        kept = self._kept_noise
        if kept is None or kept[0] != (seed, shape):
            random = torch.Generator().manual_seed(seed)
            kept = ((seed, shape), torch.randn(shape, generator=random).to(self.device))
            self._kept_noise = kept
        return kept[1]

    def _input(self, values: torch.Tensor) -> torch.Tensor:
        return values.to(self.device, torch.bfloat16, memory_format=torch.channels_last)
