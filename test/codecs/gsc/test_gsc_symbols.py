# SPDX-License-Identifier: Apache-2.0
"""How planes go on the air."""

from __future__ import annotations

import pytest
import torch

from semcom_ros.codecs.gsc.symbols import keep_planes, to_planes, to_symbols, unit_power

GRID = (4, 8)


def sent(planes: torch.Tensor, kept: int) -> torch.Tensor:
    """What goes on the air of one sample."""
    symbols = to_symbols(keep_planes(planes, torch.tensor([kept])))
    return unit_power(symbols, kept * GRID[0] * GRID[1])[0, : kept * GRID[0] * GRID[1]]


@pytest.fixture
def planes() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(1, 96, *GRID) * torch.rand(1, 96, 1, 1) * 7


@pytest.mark.parametrize("kept", [1, 2, 4, 6, 8, 12, 16, 18, 24, 32, 48])
def test_the_mean_power_of_what_is_sent_is_one(planes: torch.Tensor, kept: int) -> None:
    assert sent(planes, kept).abs().square().mean() == pytest.approx(1, abs=1e-6)


def test_fewer_planes_are_the_beginning_of_more_but_for_the_scale(planes: torch.Tensor) -> None:
    few, many = sent(planes, 4), sent(planes, 8)
    ratio = few / many[: len(few)]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def test_no_gradient_reaches_planes_that_are_not_sent(planes: torch.Tensor) -> None:
    planes.requires_grad_()
    (sent(planes, 6).real ** 3).sum().backward()
    reached = planes.grad.abs().sum((0, 2, 3)) > 0
    assert reached[:12].all() and not reached[12:].any()


def test_plane_by_plane_row_by_row_and_back(planes: torch.Tensor) -> None:
    symbols = to_symbols(planes)
    assert symbols[0, 32 + 8 + 3] == torch.complex(planes[0, 2, 1, 3], planes[0, 3, 1, 3])
    assert torch.equal(to_planes(symbols, GRID), planes)
    assert to_planes(symbols.abs(), GRID).shape == (1, 48, *GRID)


def test_silence_stays_silent() -> None:
    assert not unit_power(torch.zeros(1, 8, dtype=torch.complex64), 8).any()
