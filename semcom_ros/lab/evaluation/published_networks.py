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
from semcom_ros.codecs.gesco.paper.sampling import GUIDANCE, sample
from semcom_ros.codecs.gsc.networks import GscReceiver, GscSender, Heard
from semcom_ros.codecs.gsc.shared import USUAL_SNR_DB
from semcom_ros.codecs.gsc.sizes import PAPER
from semcom_ros.codecs.sqgan.paper import networks as sqgan
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import CLASSES

Call = Callable[[], object]


class Published(NamedTuple):
    """A call of a paper's networks on a batch, and the parameters that it reads."""

    call: Call
    parameters: int


def published_gesco(device: str, batch: int = 1, compiled: bool = True) -> Published:
    """A pass of GESCO's network without guidance."""
    network = _gesco(device, compiled)
    noisy, planes = (_planes(device, batch, n) for n in (3, network.sizes.planes))
    steps = torch.full((batch,), 500, device=device)
    return Published(partial(network, noisy, steps, planes), _parameters(network))


def published_frame(device: str, batch: int, compiled: bool, steps: int) -> Call:
    """GESCO's images of a batch of maps, in so many steps of two passes each: guided, as the paper
    has it."""
    network = _gesco(device, compiled)
    planes = _planes(device, batch, network.sizes.planes)
    strength = GUIDANCE["cityscapes"]
    return partial(sample, network, planes, range(batch), steps, strength, "ddim")


def published_sqgan(end: int, device: str, batch: int = 1, compiled: bool = True) -> Published:
    """Both of SQ-GAN's senders, of map and image, or at `end` 1 both receivers."""
    maps, images = _sqgan(device, compiled)
    sizes = sqgan.SqganPaperSizes()
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


def published_gsc(end: int, device: str, batch: int = 1, compiled: bool = True) -> Published:
    """gsc's sender, asked for picture and map, or at `end` 1 what makes both of all planes."""
    sender, receiver = _gsc(device, compiled)
    image = _planes(device, batch, 3)
    wanted = torch.ones(batch, 2, device=device)
    snr_db = torch.full((batch,), USUAL_SNR_DB, device=device)
    planes = _planes(device, batch, 2 * PAPER.planes, PAPER.stride).float()
    noise = torch.full_like(planes[:, :1], 0.1)
    told = torch.cat([snr_db[:, None], torch.full_like(wanted[:, :1], PAPER.planes), wanted], 1)

    def receive() -> tuple[torch.Tensor, torch.Tensor]:
        contexts = receiver.understand(Heard(planes, noise, told))
        return receiver.image(contexts.context, told), receiver.map(contexts.shapes)

    calls = (partial(sender, image, wanted, snr_db), receive)
    return Published(calls[end], _parameters((sender, receiver)[end]))


@cache
def _gesco(device: str, compiled: bool) -> Any:
    network = _random(partial(PaperNetwork, GescoPaperSizes()), device)
    return _compiled(network, [network] if compiled else [], device)


@cache
def _sqgan(device: str, compiled: bool) -> tuple[Any, Any]:
    """The pipelines of map and image."""
    makers = (sqgan.map_pipeline, sqgan.image_pipeline)
    maps, images = (_random(partial(make, sqgan.SqganPaperSizes()), device) for make in makers)
    halves = [half for one in (maps, images) for half in (one.transmitter, one.receiver)]
    return _compiled((maps, images), halves if compiled else [], device)


@cache
def _gsc(device: str, compiled: bool) -> tuple[Any, Any]:
    sender = _random(partial(GscSender, PAPER), device)
    receiver = _random(partial(GscReceiver, PAPER, len(CLASSES)), device)
    # It alone, so that no pass waits to hear what is wanted: "meta" cannot tell.
    sender.knowledge.training = True
    parts = [sender, receiver.knowledge, receiver.image, receiver.map]
    return _compiled((sender, receiver), parts if compiled else [], device)


def _compiled(networks: Any, parts: list[nn.Module], device: str) -> Any:
    """`networks`, of which `parts` are compiled where `device` is CUDA, as codecs run them."""
    for part in parts if torch.device(device).type == "cuda" else []:
        part.compile()
    return networks


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _planes(device: str, batch: int, channels: int, stride: int = 1) -> torch.Tensor:
    """Random values in place of a network's input, at 1 / `stride` of the size of work."""
    shape = (batch, channels, *(side // stride for side in WORK_SIZE))
    values = torch.rand(shape, device=device).to(torch.bfloat16)
    return values.contiguous(memory_format=torch.channels_last)


def _random(make: Callable[[], nn.Module], device: str) -> Any:
    """In bfloat16."""
    # On the device itself: what they look up by is to be right, whatever they have learned.
    with torch.device(device):
        network = make().to(torch.bfloat16).eval().requires_grad_(False)
    for parameter in network.parameters():
        # Nothing is as fast as to multiply by 0, which new networks do in places.
        parameter.normal_(0, 0.02)
    return network.to(memory_format=torch.channels_last)
