# SPDX-License-Identifier: Apache-2.0
"""The perceptual loss without downloaded weights: our own segmenter's features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from semcom_ros.perception.segmentation import load_network

LEVELS = 3
SCALES = (0.3, 0.6)


class FeatureLoss:
    """Distance of two images in the features of our own segmenter (no downloaded VGG).

    Both are scaled down by one random factor first. The segmenter's first layers skip every other
    pixel, and the generator would please them with a grid of dots or stripes instead of texture;
    at these scales such a pattern is gone before it is looked at.
    """

    def __init__(self, path: Path, seed: int):
        self.rng = np.random.default_rng(seed)
        network, _ = load_network(path)
        network.eval().requires_grad_(False)
        self.network = network.to(torch.bfloat16, memory_format=torch.channels_last)

    def __call__(self, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        scale = self.rng.uniform(*SCALES)
        size = [round(side * scale / 8) * 8 for side in image.shape[-2:]]
        with torch.no_grad():
            wanted = self.network.features(_scaled(target, size))[:LEVELS]
        found = self.network.features(_scaled(image, size))[:LEVELS]
        # Each level counts alike, whatever the scale of its activations.
        return sum(
            (f - w).float().abs().mean() / w.float().abs().mean()
            for f, w in zip(found, wanted, strict=True)
        ) / len(wanted)


def _scaled(image: torch.Tensor, size: list[int]) -> torch.Tensor:
    return F.interpolate(image, size=size, mode="bilinear", antialias=True).to(
        torch.bfloat16, memory_format=torch.channels_last
    )
