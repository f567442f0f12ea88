# SPDX-License-Identifier: Apache-2.0
"""Which latent vectors are kept, and how the RSU fills in for the others.

Pezone, Barbarossa, Caire, "SQ-GAN: Semantic Image Communications Using Masked Vector
Quantization": the semantically conditioned adaptive mask module (SAMM) and the adaptive de-masking
module (ADM).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.errors import given
from semcom_ros.layers.attention import SelfAttention
from semcom_ros.layers.residual import ConvNorm, Residual
from semcom_ros.layers.spade import Spade

SCORES = ("conditioned", "unconditioned")
FIRST_OPENING = 0.02
"""Weight of a missing position as a key in ADM's first attention."""


class Samm(nn.Module):
    """Relevance in 0..1 of every latent vector: features [B, width, h, w] -> [B, 1, h, w].

    The map's classes, as shares [B, classes, h, w] of each cell, condition it by SPADE;
    "unconditioned" does without, for comparison.
    """

    def __init__(self, width: int, classes: int, hidden: int, score: str = SCORES[0]):
        super().__init__()
        self.conditioned = score == SCORES[0]
        self.first = Spade(width, hidden, classes)
        self.second = Spade(hidden, hidden, classes)
        self.score = nn.Conv2d(hidden, 1, 1)

    def forward(self, features: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
        if not self.conditioned:
            shares = torch.zeros_like(shares)
        x = torch.relu(self.first(features, shares))
        x = torch.relu(self.second(x, shares)).float()
        # In float32: half precision has so few values that many cells would tie.
        weight, bias = self.score.weight, given(self.score.bias)
        return torch.sigmoid(F.conv2d(x, weight.float(), bias.float()))


def keep(scores: torch.Tensor, fractions: torch.Tensor) -> torch.Tensor:
    """The highest of scores [B, 1, h, w], a fraction [B] of them each: bool [B, 1, h, w]."""
    batch, _, height, width = scores.shape
    order = scores.detach().float().reshape(batch, -1).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(height * width, device=scores.device).expand_as(order)
    ranks = torch.empty_like(order).scatter_(1, order, places)
    counts = (fractions.to(scores.device) * height * width).round()
    return (ranks < counts[:, None]).reshape(scores.shape)


def rescaled(features: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Latent vectors [B, width, h, w] of mean 0 and variance 1, each times its score."""
    flat = F.layer_norm(features.movedim(1, -1), features.shape[1:2]).movedim(-1, 1)
    return flat * scores.to(flat.dtype)


def opening(layer: int) -> float:
    """Weight of missing positions as keys in ADM's attention number `layer`, from 0: it grows by
    the square root from layer to layer."""
    return FIRST_OPENING ** (0.5**layer)


class Adm(nn.Module):
    """Received codes [B, dims, h, w], a placeholder where none came, -> features [B, width, h, w].

    Residual blocks and attention whose direction is constrained: at first the missing positions
    only listen to the received ones, and by and by they are heard themselves.
    """

    def __init__(self, dims: int, width: int, depth: int, heads: int):
        super().__init__()
        self.placeholder = nn.Parameter(torch.empty(1, dims, 1, 1).uniform_(-1 / dims, 1 / dims))
        self.enter = ConvNorm(dims, width)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(depth))
        self.attention = nn.ModuleList(SelfAttention(width, heads) for _ in range(depth))
        self.last = Residual(width)

    def forward(self, codes: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """kept: [B, 1, h, w], 1 where a code was received and 0 where not."""
        x = torch.relu(self.enter(self.placeholder + kept * (codes - self.placeholder)))
        heard = kept.detach()
        for layer, (block, attention) in enumerate(zip(self.blocks, self.attention, strict=True)):
            x = attention(block(x), heard + (1 - heard) * opening(layer))
        return self.last(x)
