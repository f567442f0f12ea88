# SPDX-License-Identifier: Apache-2.0
"""The linear path of gsc as training begins it: a link that carries pictures before it learns."""

from __future__ import annotations

import pytest
import tiny_gsc
import torch
import torch.nn.functional as F

from semcom_ros.lab.training.gsc.link import Draw, GscLink
from semcom_ros.lab.training.gsc.principal import begin_linear

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Float32 [48, 3, 64, 64], smooth, of different brightness."""
    torch.manual_seed(0)
    spots = torch.rand(48, 3, 10, 10) * torch.linspace(0.4, 1.0, 48)[:, None, None, None]
    return F.interpolate(spots, size=(64, 64), mode="bicubic").clamp(0, 1)


@pytest.fixture(scope="module")
def network(images: torch.Tensor) -> GscLink:
    """All of it is the linear path: the encoder's network is silent."""
    torch.manual_seed(0)
    network = GscLink(tiny_gsc.TINY, 4).eval().requires_grad_(False)
    begin_linear(network, images)
    network.sender.encoder.last.weight.zero_()
    network.sender.encoder.last.bias.zero_()
    return network


def error(network: GscLink, images: torch.Tensor, kept: int, snr_db: float) -> float:
    """Mean squared error of pixels."""
    draw = Draw.fixed(len(images), kept, snr_db, images.device)._replace(
        wanted=torch.tensor([[1.0, 0.0]]).expand(len(images), 2)
    )
    return float((network(images, draw, picture=True) - images).square().mean())


def test_what_the_components_hold_comes_back_whatever_scale_unit_power_took(
    network: GscLink, images: torch.Tensor
) -> None:
    blocks = F.pixel_unshuffle(images, 16).movedim(1, -1).flatten(0, -2)
    spread = torch.linalg.svdvals(blocks - blocks.mean(0)).square()
    left_out = float(spread[96:].sum() / blocks.numel())
    assert error(network, images, 48, 40.0) < left_out + 2e-4
    half, double = (error(network, images[at], 48, 40.0) for at in (slice(0, 9), slice(39, 48)))
    assert max(half, double) < left_out + 4e-4, "of dark pictures and of bright ones"


def test_more_planes_and_less_noise_bring_a_picture_nearer(
    network: GscLink, images: torch.Tensor
) -> None:
    by_rate = [error(network, images, kept, 30.0) for kept in (1, 4, 16, 48)]
    by_snr = [error(network, images, 16, snr_db) for snr_db in (-5.0, 5.0, 15.0, 25.0)]
    for errors in (by_rate, by_snr):
        assert all(later < 0.8 * before for before, later in zip(errors, errors[1:], strict=False))
    grey = float((images - images.mean((0, 2, 3), keepdim=True)).square().mean())
    assert by_snr[0] < grey, "what noise covers is left at its mean"


def test_a_map_alone_takes_no_power_for_a_picture(network: GscLink, images: torch.Tensor) -> None:
    wanted = torch.tensor([[0.0, 1.0]]).expand(48, 2)
    assert not network.sender(images, wanted, torch.full((48,), 10.0)).any()
