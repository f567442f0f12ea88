# SPDX-License-Identifier: Apache-2.0
"""The papers' networks at full width with random weights: to be counted and timed, never looked at.

On the device "meta" they take no memory and no time, and their operations can be counted still.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import torch
from torch import nn

from semcom_ros.codecs.gesco.paper.network import GescoPaperSizes, PaperNetwork
from semcom_ros.codecs.sqgan.paper import networks as sqgan
from semcom_ros.frame import WORK_SIZE

Call = Callable[[], object]


class Published(NamedTuple):
    """A call of a paper's networks on a batch, and the parameters that it reads."""

    call: Call
    parameters: int


def published_gesco(device: str, batch: int = 1) -> Published:
    """A pass of GESCO's network without guidance."""
    sizes = GescoPaperSizes()
    network = _random(partial(PaperNetwork, sizes), device)
    noisy, planes = (_planes(device, batch, n) for n in (3, sizes.planes))
    steps = torch.full((batch,), 500, device=device)
    return Published(partial(network, noisy, steps, planes), _parameters(network))


def published_sqgan(end: int, device: str, batch: int = 1) -> Published:
    """Both of SQ-GAN's senders, of map and image, or at `end` 1 both receivers."""
    sizes = sqgan.SqganPaperSizes()
    maps, images = _sqgan(device)
    planes, image = (_planes(device, batch, n) for n in (sqgan.MAP_PLANES, 3))
    classes = planes[:, : sqgan.CLASS_PLANES]
    codes = _planes(device, batch, sizes.dims, sizes.reduction)
    kept = torch.ones_like(codes[:, :1])
    calls = (
        lambda: (
            maps.transmitter((planes,), classes),
            images.transmitter((image, classes), classes),
        ),
        lambda: (maps.receiver(codes, kept), images.receiver(codes, kept, (classes,))),
    )
    half = ("transmitter", "receiver")[end]
    return Published(calls[end], sum(_parameters(getattr(one, half)) for one in (maps, images)))


@cache
def _sqgan(device: str) -> tuple[Any, Any]:
    """The pipelines of map and image."""
    makers = (sqgan.map_pipeline, sqgan.image_pipeline)
    maps, images = (_random(partial(make, sqgan.SqganPaperSizes()), device) for make in makers)
    return maps, images


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _planes(device: str, batch: int, channels: int, stride: int = 1) -> torch.Tensor:
    """Random values in place of a network's input, at 1 / `stride` of the size of work."""
    shape = (batch, channels, *(side // stride for side in WORK_SIZE))
    values = torch.rand(shape, device=device).to(torch.bfloat16)
    return values.contiguous(memory_format=torch.channels_last)


def _random(make: Callable[[], nn.Module], device: str) -> Any:
    """In bfloat16, compiled on CUDA, as codecs run it."""
    with torch.device("meta"):
        network = make().to(torch.bfloat16)
    network = network.to_empty(device=device).eval().requires_grad_(False)
    for parameter in network.parameters():
        # Memory as it was found may hold denormal numbers, which are slow.
        parameter.normal_(0, 0.02)
    if torch.device(device).type == "cuda":
        network.compile()
    return network.to(memory_format=torch.channels_last)
