# SPDX-License-Identifier: Apache-2.0
"""The rate as SQ-GAN's paper counts it, to stand beside the bytes that really cross."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

from semcom_ros.codecs.sqgan.shared import CODEWORDS, LATENT_GRID
from semcom_ros.frame import WORK_SIZE

VECTORS = LATENT_GRID[0] * LATENT_GRID[1]
PIXELS = WORK_SIZE[0] * WORK_SIZE[1]


def published_bpp(kept: Sequence[int], positions: bool = False) -> float:
    """Bits a pixel where so many vectors of each pipeline are `kept`, of 512 each.

    Equations 2 to 4 of the paper: log2 of 1024 codewords for each index, of map and image, over the
    pixels: 10 (m_x + m_s) / 256. positions: with what it leaves out, which vectors they are, at
    their entropy.
    """
    bits = log2(CODEWORDS) * sum(kept)
    if positions:
        bits += VECTORS * sum(entropy(count / VECTORS) for count in kept)
    return bits / PIXELS


def entropy(share: float) -> float:
    """Of a choice of that share, in bits."""
    return -sum(p * log2(p) for p in (share, 1 - share) if p > 0)
