# SPDX-License-Identifier: Apache-2.0
"""Swin: its shapes and size, and who hears whom."""

from __future__ import annotations

import pytest
import torch

from semcom_ros.layers.swin import SwinPyramid, WindowAttention

pytestmark = pytest.mark.usefixtures("one_thread")
TABLE_I = {"channels": (96, 192, 384, 768), "depths": (2, 2, 6), "heads": (3, 6, 12), "window": 7}


@pytest.mark.parametrize("height, width", [(224, 224), (512, 768), (256, 512)])
def test_levels_lie_at_an_eighth_a_16th_and_a_32nd(height: int, width: int) -> None:
    with torch.device("meta"):
        levels = SwinPyramid(**TABLE_I, patch=4)(torch.empty(2, 3, height, width))
    assert [tuple(level.shape) for level in levels] == [
        (2, height // step, width // step, channels)
        for step, channels in ((8, 192), (16, 384), (32, 768))
    ]


def test_three_stages_of_swin_tiny_with_their_mergings_have_13_million_weights() -> None:
    with torch.device("meta"):
        network = SwinPyramid(**TABLE_I, patch=4)
    assert sum(p.numel() for p in network.parameters()) == 13_333_962


def heard(size: tuple[int, int], shift: int, place: tuple[int, int]) -> torch.Tensor:
    """Which tokens of the grid change what the one at `place` becomes, bool [H, W]."""
    torch.manual_seed(0)
    attention = WindowAttention(4, 2, 4, shift)
    x = torch.randn(1, *size, 4, requires_grad=True)
    attention(x)[0, place[0], place[1]].sum().backward()
    return x.grad[0].abs().sum(-1) > 0


def test_a_token_hears_its_window_alone() -> None:
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[4:8, 8:12] = True
    assert torch.equal(heard((8, 12), 0, (5, 9)), expected)


def test_a_shifted_window_does_not_wrap_round() -> None:
    inner, corner = torch.zeros(2, 8, 12, dtype=torch.bool)
    inner[2:6, 2:6], corner[:2, :2] = True, True
    assert torch.equal(heard((8, 12), 2, (3, 3)), inner)
    assert torch.equal(heard((8, 12), 2, (0, 0)), corner)


def test_padding_is_not_heard() -> None:
    expected = torch.zeros(6, 7, dtype=torch.bool)
    expected[4:6, 4:7] = True
    assert torch.equal(heard((6, 7), 0, (5, 6)), expected)
    torch.manual_seed(0)
    attention, x = WindowAttention(4, 1, 4), torch.randn(1, 2, 4, 4)
    attention.bias.data.zero_()
    query, key, value = attention.project(x.view(1, 1, 8, 4)).chunk(3, -1)
    alone = attention.out(torch.nn.functional.scaled_dot_product_attention(query, key, value))
    torch.testing.assert_close(attention(x), alone.view(1, 2, 4, 4))
