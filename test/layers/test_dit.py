# SPDX-License-Identifier: Apache-2.0
"""The diffusion transformer before it has learned."""

from __future__ import annotations

import pytest
import torch

from semcom_ros.layers.dit import DiffusionTransformer, LastLayer, grid_positions


@pytest.mark.parametrize("shared", [False, True])
def test_a_new_one_is_the_identity_on_tokens_and_its_last_layer_says_nothing(shared: bool) -> None:
    torch.manual_seed(0)
    network, tokens = DiffusionTransformer(32, 3, 4, shared), torch.randn(2, 10, 32)
    condition = torch.randn(2, 32)
    assert torch.equal(network(tokens, condition), tokens)
    assert not LastLayer(32, 8)(tokens, condition).any()


@pytest.mark.parametrize("shared", [False, True])
def test_the_condition_changes_what_it_gives_once_it_has_learned(shared: bool) -> None:
    torch.manual_seed(0)
    network, tokens = DiffusionTransformer(32, 2, 4, shared), torch.randn(1, 10, 32)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    first, second = (network(tokens, torch.randn(1, 32)) for _ in range(2))
    assert not torch.allclose(first, second)


def test_every_place_of_a_grid_has_a_position_of_its_own() -> None:
    positions = grid_positions(4, 6, 32)
    assert positions.shape == (24, 32)
    assert torch.cdist(positions, positions).fill_diagonal_(9).min() > 0.1
