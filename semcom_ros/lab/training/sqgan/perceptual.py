# SPDX-License-Identifier: Apache-2.0
"""The perceptual loss: LPIPS where VGG's weights are given, else our own segmenter's features."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from semcom_ros.errors import SemcomError
from semcom_ros.lab.training.gesco.feature_loss import FeatureLoss

VGG = "vgg16-397923af.pth"

Perceptual = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Distance of two images [B, 3, H, W] in 0..1."""


def add_argument(parser: argparse.ArgumentParser) -> None:
    """The option that names VGG's weights."""
    parser.add_argument("--vgg", type=Path, help=f"{VGG}, for LPIPS; else our segmenter's features")


def in_words(vgg: Path | None) -> str:
    """What the loss looks at, for cards."""
    return VGG if vgg else "features of our own segmenter"


def perceptual(vgg: Path | None, segmenter: Path, seed: int, device: torch.device) -> Perceptual:
    """LPIPS on VGG where its weights lie at `vgg`; else our own segmenter's features.

    Raises SemcomError where `vgg` is not that file.
    """
    if vgg is None:
        features = FeatureLoss(segmenter, seed)
        features.network.to(device)
        return features
    if vgg.name != VGG or not vgg.is_file():
        raise SemcomError(f"'{vgg}' is not the file {VGG} of torchvision's VGG-16: give that.")
    from semcom_ros.runtime import declare_operators

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
