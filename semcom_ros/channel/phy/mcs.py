# SPDX-License-Identifier: Apache-2.0
"""Modulation and coding schemes, and what a part of bits costs with each."""

from __future__ import annotations

import math
from typing import NamedTuple

from semcom_ros.channel.phy.modulation import MODULATIONS

CRC_BITS = 24
"""Of each part, a checksum that tells the receiver whether it arrived whole."""
MAX_BLOCK_BITS = 8448
"""Longest block that the 5G LDPC code takes (3GPP TS 38.212 5.2.2)."""


class Mcs(NamedTuple):
    """A modulation and the share of information, CRC included, among the coded bits."""

    name: str
    modulation: str
    code_rate: float

    @property
    def bits_per_symbol(self) -> float:
        """Information bits that a complex symbol carries."""
        return MODULATIONS[self.modulation] * self.code_rate


MCS_TABLE = (
    Mcs("qpsk_1/3", "qpsk", 1 / 3),
    Mcs("qpsk_1/2", "qpsk", 1 / 2),
    Mcs("qpsk_2/3", "qpsk", 2 / 3),
    Mcs("16qam_1/2", "16qam", 1 / 2),
    Mcs("16qam_2/3", "16qam", 2 / 3),
    Mcs("64qam_1/2", "64qam", 1 / 2),
    Mcs("16qam_5/6", "16qam", 5 / 6),
    Mcs("64qam_2/3", "64qam", 2 / 3),
    Mcs("64qam_5/6", "64qam", 5 / 6),
)
"""Every scheme, from the most robust to the fastest."""


def symbols_needed(n_bytes: int, mcs: Mcs) -> int:
    """Complex symbols (channel uses) that `n_bytes` and their CRC take with `mcs`."""
    return math.ceil(round((8 * n_bytes + CRC_BITS) / mcs.bits_per_symbol, 6))


def split_into_blocks(n_bytes: int, mcs: Mcs) -> tuple[int, list[int]]:
    """How `n_bytes` are coded: bits in each block, and the complex symbols of each block.

    As few blocks as `MAX_BLOCK_BITS` allows, all of one length, the last one padded with zeros. One
    CRC covers them all; 5G adds one to each of several blocks, which would only tell sooner that
    the part is lost. The symbols are shared out evenly, the last blocks taking one more.
    """
    bits = 8 * n_bytes + CRC_BITS
    blocks = -(-bits // MAX_BLOCK_BITS)
    symbols = symbols_needed(n_bytes, mcs)
    return -(-bits // blocks), [(symbols + i) // blocks for i in range(blocks)]
