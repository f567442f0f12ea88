# SPDX-License-Identifier: Apache-2.0
"""What the linear path of gsc begins with: the principal components of blocks of streets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.codecs.gsc.image_network import PictureTransformer
from semcom_ros.codecs.gsc.linear_path import LinearPicture, LinearPlanes
from semcom_ros.errors import given
from semcom_ros.lab.training.gsc.link import GscLink

FULL = 16
"""Real planes that have the power of a symbol together; later ones have less."""
LEAST = 1e-6
"""Least variance of a component: dead ones would be as loud as they are many."""


@torch.no_grad()
def begin_linear(network: GscLink, images: torch.Tensor) -> None:
    """Set the linear path of both ends by images float32 [B, 3, H, W] in 0..1, and let the head
    that corrects its picture begin with no correction.

    Component i has power as the square root of its variance: factors are the variance to the
    power of -1/4.
    """
    sender, picture = network.sender.linear, network.receiver.image
    assert isinstance(sender, LinearPlanes) and isinstance(picture.linear, LinearPicture)
    stride, count = picture.linear.stride, len(picture.linear.log_power)
    blocks = F.pixel_unshuffle(images, stride).movedim(1, -1).flatten(0, -2).double()
    mean = blocks.mean(0)
    variance, components = torch.linalg.eigh(torch.cov((blocks - mean).T))
    variance = variance.flip(0)[:count].clamp(min=LEAST)
    components = components.flip(1)[:, :count]
    factors = variance.pow(-0.25)
    # Half of a symbol's power is in either of its parts.
    factors *= (0.5 / (factors.square() * variance)[:FULL].mean()).sqrt()
    analysis = (components * factors).T
    _set(sender.blocks, analysis, -analysis @ mean)
    _set(picture.linear.blocks, components / factors, mean)
    picture.linear.log_power.copy_((factors.square() * variance).log())
    _silence(picture)


def _set(layer: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor) -> None:
    layer.weight.copy_(weight.reshape(layer.weight.shape))
    given(layer.bias).copy_(bias)


def _silence(picture: PictureTransformer) -> None:
    last = [layer for layer in picture.head.layers if isinstance(layer, nn.Conv2d)][-1]
    nn.init.zeros_(last.weight)
    nn.init.zeros_(given(last.bias))
