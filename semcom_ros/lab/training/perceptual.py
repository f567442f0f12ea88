# SPDX-License-Identifier: Apache-2.0
"""The perceptual loss: LPIPS where VGG's weights are given, else our own segmenter's features."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F

from semcom_ros.errors import SemcomError
from semcom_ros.perception.segmentation import load_network
from semcom_ros.runtime import declare_operators

VGG = "vgg16-397923af.pth"
LEVELS = 3
SCALES = (0.3, 0.6)

Perceptual = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Distance of two images [B, 3, H, W] in 0..1."""


class FeatureLoss:
    """Distance of two images in the features of our own segmenter (no downloaded VGG).

    Both are scaled down by one random factor first. The segmenter's first layers skip every other
    pixel, and the generator would please them with a grid of dots or stripes instead of texture;
    at these scales such a pattern is gone before it is looked at.
    """

    def __init__(self, path: Path, device: str | torch.device = "cpu"):
        network, _ = load_network(path)
        network.eval().requires_grad_(False)
        self.network = network.to(device, torch.bfloat16, memory_format=torch.channels_last)

    def __call__(self, image: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        scale = float(torch.empty(()).uniform_(*SCALES))
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


def add_argument(parser: argparse.ArgumentParser) -> None:
    """The option that names VGG's weights."""
    parser.add_argument("--vgg", type=Path, help=f"{VGG}, for LPIPS; else our segmenter's features")


def in_words(vgg: Path | None) -> str:
    """What the loss looks at, for cards."""
    return VGG if vgg else "features of our own segmenter"


def perceptual(vgg: Path | None, segmenter: Path, device: str | torch.device) -> Perceptual:
    """LPIPS on VGG where its weights lie at `vgg`; else our own segmenter's features.

    Raises SemcomError where `vgg` is not that file.
    """
    if vgg is None:
        return FeatureLoss(segmenter, device)
    if vgg.name != VGG or not vgg.is_file():
        raise SemcomError(f"'{vgg}' is not the file {VGG} of torchvision's VGG-16: give that.")
    declare_operators()
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    usual = torch.hub.get_dir()
    with TemporaryDirectory() as hub:
        # Torch hub finds its files in a folder of this name.
        (Path(hub) / "checkpoints").symlink_to(vgg.resolve().parent)
        torch.hub.set_dir(hub)
        try:
            metric = LearnedPerceptualImagePatchSimilarity(net_type="vgg")
        finally:
            torch.hub.set_dir(usual)
    network = metric.net.to(device).eval().requires_grad_(False)
    return lambda image, target: network(2 * image - 1, 2 * target - 1).mean()
