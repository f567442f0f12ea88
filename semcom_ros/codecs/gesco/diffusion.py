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
from diffusers.schedulers.scheduling_ddim import DDIMScheduler, rescale_zero_terminal_snr

from semcom_ros import weights
from semcom_ros.codecs.gesco import shared
from semcom_ros.codecs.gesco.diffusion_network import DiffusionNetwork
from semcom_ros.errors import SemcomError
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.layers.image_input import to_images
from semcom_ros.layers.residual import for_inference

STEPS = (1, 2, 4, 8)
"""Passes to choose from."""
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


class ImageDiffusion:
    """class shares float32 [classes, 128, 256] and a thumbnail float32 [16, 32, 3] -> image.

    Runs a copy of `network`, whose planes stand for trainIds `classes`, on `device`. seed: of the
    noise that sampling starts from. The same noise for every frame of a vehicle keeps a drive from
    flickering; a frame may bring a seed of its own.
    """

    def __init__(
        self, network: DiffusionNetwork, classes: Sequence[int], device: str = "cpu", seed: int = 0
    ):
        self.device, self.seed = device, seed
        self.class_shares = ClassShares(classes)
        self.network = for_inference(copy.deepcopy(network), torch.bfloat16).to(device)
        self._kept_noise: tuple[tuple[int, tuple[int, ...]], torch.Tensor] | None = None

    @classmethod
    def from_pretrained(cls, path: Path | None = None, device: str = "cpu") -> ImageDiffusion:
        """That of a weights file, or of a folder that holds one. Raises SemcomError."""
        path = weights.file_at(path, shared.DIFFUSION_FILE)
        tensors, card = weights.load(path, shared.DIFFUSION_RECIPE)
        classes = weights.classes_of(card, path)
        network = DiffusionNetwork(len(classes))
        weights.fill(network, tensors, path)
        return cls(network, classes, device)

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
        pictures = conditions.picture[:n].float()
        sampler = scheduler(from_picture)
        sampler.set_timesteps(steps)
        signal = sampler.alphas_cumprod[sampler.timesteps]
        log_snrs = torch.log(signal / (1 - signal)).to(self.device)
        x = torch.stack([self._noise_of(tuple(pictures.shape[1:]), seed) for seed in seeds])
        if from_picture:
            start = cast(torch.IntTensor, sampler.timesteps[:1])
            x = sampler.add_noise(2 * pictures - 1, x, start)
        for t, log_snr in zip(sampler.timesteps.tolist(), log_snrs, strict=True):
            noisy = self._input(x.repeat(2, 1, 1, 1) if guidance else x)
            clean = self.network.denoise(noisy, log_snr.expand(len(noisy)), conditions).float()
            if guidance:
                given, null = clean.chunk(2)
                clean = (1 + guidance) * given - guidance * null
            # What is left of the noise belongs to an image in range: guidance leads out of it.
            x = sampler.step(2 * clean.clamp(0, 1) - 1, t, x, return_dict=False)[0]
        return to_images((x + 1).mul_(127.5))

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
