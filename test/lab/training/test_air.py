# SPDX-License-Identifier: Apache-2.0
"""The radio that networks learn through is the one that they are sent over."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semcom_ros.channel.phy.symbol_link import Estimate, transmit_symbols
from semcom_ros.lab.training import air

N = 40_000


def decibel(error: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.abs(error) ** 2)))


@pytest.mark.parametrize("equaliser", ["mmse", "none"])
@pytest.mark.parametrize("snr_db", [-5.0, 5.0, 20.0])
def test_its_errors_are_those_of_the_emulated_radio(snr_db: float, equaliser: str) -> None:
    torch.manual_seed(1)
    sent, gains = torch.randn(2, 1, N, dtype=torch.complex64)
    sent = sent / sent.abs().square().mean().sqrt()
    ours = air.transmit(sent, gains, torch.tensor([snr_db]), equaliser)
    gone, fade = sent[0].numpy(), gains[0].numpy()
    known = Estimate(fade, np.zeros(N, np.float32), 1.0)
    rng = np.random.default_rng(1)
    theirs = transmit_symbols(gone, fade, known, 10 ** (-snr_db / 10), equaliser, rng)
    aim = gone if equaliser == "mmse" else gone * fade
    error = ours.symbols[0].numpy() - aim
    assert decibel(error) == pytest.approx(decibel(theirs.symbols - aim), abs=0.1)
    np.testing.assert_allclose(ours.noise_variance[0], theirs.noise_variance, rtol=1e-3)
    # What the receiver is told of the noise is true.
    told = ours.noise_variance.mean().log10() * 10
    assert decibel(error) == pytest.approx(float(told), abs=0.1)


def test_the_snr_is_that_of_complex_symbols_not_of_their_parts() -> None:
    torch.manual_seed(0)
    ones = torch.ones(2, N, dtype=torch.complex64)
    snr_db = torch.tensor([0.0, 10.0])
    noise = air.transmit(ones, ones, snr_db, "none").symbols - ones
    power = noise.abs().square().mean(1)
    torch.testing.assert_close(power, torch.tensor([1.0, 0.1]), rtol=0.03, atol=0)
    torch.testing.assert_close(noise.real.square().mean(1), power / 2, rtol=0.05, atol=0)


def test_gains_have_unit_power_and_a_fade_any_phase() -> None:
    torch.manual_seed(2)
    gains = air.draw_gains(6000, 8, device=torch.device("cpu"))
    assert float(gains.abs().square().mean()) == pytest.approx(1, abs=0.05)
    steady = (gains == 1).all(1)
    assert float(steady.float().mean()) == pytest.approx(air.SHARES["awgn"], abs=0.03)
    phases = gains[~steady][:, 0].angle()
    counts = torch.histc(phases, 8, -np.pi, np.pi) / len(phases)
    assert counts.min() > 0.1 and counts.max() < 0.15


def test_gradients_go_through_fade_and_equaliser() -> None:
    torch.manual_seed(0)
    sent = torch.randn(1, 16, dtype=torch.complex64, requires_grad=True)
    gains = torch.full((1, 16), 0.5j)
    arrived = air.transmit(sent, gains, torch.tensor([3.0]))
    arrived.symbols.real.sum().backward()
    noise = 10**-0.3
    expected = torch.full((1, 16), 0.25 / (0.25 + noise))
    torch.testing.assert_close(sent.grad.real, expected)
