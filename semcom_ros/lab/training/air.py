# SPDX-License-Identifier: Apache-2.0
"""The emulated radio in torch, for networks that learn through it: what `channel` does to symbols,
differentiable, a batch at a time.

SNR is E|x|^2 / E|n|^2 of a complex symbol, as in `channel.radio`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from semcom_ros.codecs.gsc.shared import SNR_RANGE_DB

SHARES = {"awgn": 0.7, "block": 0.2, "jakes": 0.1}
"""Of the samples, by how their gains go: 1; one of a Rayleigh fade; a fade that goes on."""
PATHS = 16
"""Scattered paths of a fade that goes on."""
MOST_TURNS = 8.0
"""Most turns of its fastest path from the first symbol to the last."""
SNR_DB = SNR_RANGE_DB
"""Range from which links are drawn evenly: that which encoders are told of."""


class Arrived(NamedTuple):
    """symbols: complex64 [B, n], equalised; noise_variance: float32 [B, n], of each symbol's
    error, as `channel` tells it."""

    symbols: torch.Tensor
    noise_variance: torch.Tensor


def draw_snr(count: int, device: torch.device, low: float, high: float) -> torch.Tensor:
    """dB, evenly between the two, float32 [count]."""
    return low + (high - low) * torch.rand(count, device=device)


def draw_gains(count: int, n: int, *, device: torch.device) -> torch.Tensor:
    """Gains complex64 [count, n] of unit mean power, by `SHARES`: Rayleigh with its phase."""
    # Drawn where it is used: a GPU that is waited for stands still.
    drawn, share = torch.rand(count, 1, device=device), SHARES["awgn"]
    kind = (drawn >= share).long() + (drawn >= share + SHARES["block"])
    block = torch.randn(count, 1, dtype=torch.complex64, device=device)
    angle, phase = 2 * math.pi * torch.rand(2, count, PATHS, 1, device=device)
    turns = MOST_TURNS * torch.rand(count, 1, 1, device=device)
    along = torch.arange(n, device=device) / n
    waves = torch.polar(
        torch.ones((), device=device), 2 * math.pi * turns * angle.cos() * along + phase
    )
    ones = torch.ones(count, n, dtype=torch.complex64, device=device)
    steady = torch.where(kind == 1, block.expand(-1, n), ones)
    return torch.where(kind == 2, waves.sum(1) / PATHS**0.5, steady)


def transmit(
    sent: torch.Tensor, gains: torch.Tensor, snr_db: torch.Tensor, equaliser: str = "mmse"
) -> Arrived:
    """Send symbols complex64 [B, n] of unit mean power over `gains` complex64 [B, n] with noise at
    `snr_db` [B]; the receiver knows both, and the gradient goes through both.

    equaliser: "mmse", or "none", which leaves h x + n as it comes.
    """
    noise = (10 ** (-snr_db / 10))[:, None]
    received = gains * sent + torch.randn_like(sent) * noise.sqrt()
    if equaliser == "none":
        return Arrived(received, noise.expand(sent.shape).contiguous())
    gain = 1 / (gains.abs().square() + noise)
    return Arrived(gains.conj() * received * gain, noise * gain)
