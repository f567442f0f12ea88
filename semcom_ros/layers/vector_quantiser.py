# SPDX-License-Identifier: Apache-2.0
"""Vector quantisation with a codebook that follows the vectors by exponential averages."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

DECAY = 0.99
COMMITMENT = 0.25
UNUSED = 0.1
"""Share of the mean use below which a codeword is dead: it starts again at a vector seen."""


class Quantised(NamedTuple):
    """codes: codewords [B, dims, H, W], with the gradient of the vectors. loss: commitment of the
    vectors to them, scalar. indices: int64 [B, H, W]."""

    codes: torch.Tensor
    loss: torch.Tensor
    indices: torch.Tensor


class VectorQuantiser(nn.Module):
    """The nearest of `size` codewords for every vector (van den Oord et al. 2017, appendix A.1).

    In training the codewords move to the mean of the vectors that chose them, and those that none
    chooses start again. The codebook stays in float32: `as_float` after a network was cast.
    """

    codebook: torch.Tensor
    uses: torch.Tensor
    sums: torch.Tensor

    def __init__(self, size: int, dims: int):
        super().__init__()
        self.register_buffer("codebook", torch.randn(size, dims) / dims**0.5)
        self.register_buffer("uses", torch.zeros(size))
        self.register_buffer("sums", torch.zeros(size, dims))

    def forward(self, vectors: torch.Tensor, kept: torch.Tensor) -> Quantised:
        """Quantise vectors [B, dims, H, W]; only those `kept` (bool [B, 1, H, W]) count."""
        flat = vectors.permute(0, 2, 3, 1).float()
        taught = kept[:, 0]
        # In half precision the nearest would often be another.
        with torch.autocast(vectors.device.type, enabled=False):
            indices = nearest(flat, self.codebook)
        if self.training:
            self._follow(flat.detach().flatten(0, 2), indices.flatten(), taught.flatten().float())
        codes = self.look_up(indices)
        distance = (flat - codes.permute(0, 2, 3, 1)).square().mean(-1)
        loss = COMMITMENT * (distance * taught).sum() / taught.sum().clamp(min=1)
        # The difference is 0 in any precision: what is decoded is the codeword exactly.
        codes = codes.to(vectors.dtype) + (vectors - vectors.detach())
        return Quantised(codes, loss, indices)

    def look_up(self, indices: torch.Tensor) -> torch.Tensor:
        """Codewords float32 [B, dims, H, W] of indices [B, H, W]."""
        return F.embedding(indices, self.codebook).permute(0, 3, 1, 2)

    @torch.no_grad()
    def _follow(self, vectors: torch.Tensor, indices: torch.Tensor, taught: torch.Tensor) -> None:
        """Move the codebook towards those of vectors [N, dims] that are `taught` [N], 1 or 0, and
        chose codewords `indices` [N]. Shapes do not hang on values: a GPU need not be waited for.
        """
        uses = torch.zeros_like(self.uses).index_add_(0, indices, taught)
        sums = torch.zeros_like(self.sums).index_add_(0, indices, vectors * taught[:, None])
        spread = dist.is_available() and dist.is_initialized()
        if spread:
            dist.all_reduce(uses)
            dist.all_reduce(sums)
        self.uses.lerp_(uses, 1 - DECAY)
        self.sums.lerp_(sums, 1 - DECAY)
        self._restart(vectors, taught)
        if spread:
            for buffer in (self.uses, self.sums):
                dist.broadcast(buffer, 0)
        known = self.uses[:, None] > 0
        self.codebook.copy_(torch.where(known, self.sums / self.uses[:, None], self.codebook))

    def _restart(self, vectors: torch.Tensor, taught: torch.Tensor) -> None:
        mean, any_taught = self.uses.mean(), taught.any()
        dead = (self.uses < UNUSED * mean) & any_taught
        drawn = torch.multinomial(taught + ~any_taught, len(dead), replacement=True)
        self.uses.copy_(torch.where(dead, mean, self.uses))
        self.sums.copy_(torch.where(dead[:, None], mean * vectors[drawn], self.sums))


def as_float(network: nn.Module) -> None:
    """Bring the codebooks in `network` back to float32."""
    for module in network.modules():
        if isinstance(module, VectorQuantiser):
            module.float()


def nearest(vectors: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """Index int64 [...] of the codeword [J, dims] nearest to each of the vectors [..., dims]."""
    # |v - c|^2 but for |v|^2, which is the same for all codewords.
    return (codebook.square().sum(1) - 2 * vectors @ codebook.T).argmin(-1)
