# SPDX-License-Identifier: Apache-2.0
"""Modulation and coding schemes: what each costs, and which one a part is sent with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.crc import CRC_BITS
from semcom_ros.channel.phy.modulation import MODULATIONS

MAX_BLOCK_BITS = 8448
"""Longest block that the 5G LDPC code takes (3GPP TS 38.212 5.2.2)."""
UP_MARGIN_DB = 1.0
"""SNR beyond its threshold that a scheme needs before `RateControl` climbs to it."""


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


class RateControl:
    """Chooses the fastest scheme whose block error rate stays under `bler_target` (0..1).

    Over white noise of the SNR reported. Goes down at once, up only to a scheme whose threshold is
    `UP_MARGIN_DB` below that SNR, so that a report that wavers does not make the rate waver.
    """

    def __init__(self, bler_target: float) -> None:
        self.bler_target = bler_target
        self._at = 0

    def choose(self, snr_db: float | None, n_bytes: int) -> Mcs:
        """The scheme for a part of `n_bytes`; the most robust where no SNR is known (None)."""
        if snr_db is None:
            self._at = 0
        else:
            most = self._fastest(snr_db, n_bytes)
            self._at = min(most, max(self._at, self._fastest(snr_db - UP_MARGIN_DB, n_bytes)))
        return MCS_TABLE[self._at]

    def _fastest(self, snr_db: float, n_bytes: int) -> int:
        """Place of the fastest scheme that holds the target at `snr_db`, 0 if none does."""
        held = [i for i, mcs in enumerate(MCS_TABLE) if snr_db >= self._threshold_db(mcs, n_bytes)]
        return max(held, default=0)

    def _threshold_db(self, mcs: Mcs, n_bytes: int) -> float:
        bits, blocks = split_into_blocks(n_bytes, mcs)
        rate = 1 - (1 - self.bler_target) ** (1 / len(blocks))
        return block_errors.snr_db_for(mcs.name, bits, rate)


def protect(
    n_bytes: Sequence[int], importances: Sequence[int], mcs: Mcs, unequal: bool
) -> list[Mcs]:
    """The scheme of each part, of `n_bytes` and an importance each (0 the most important).

    Equal protection sends all with `mcs`. Unequal protection may not take more symbols than that:
    it makes the most important parts two steps more robust than `mcs`, or else one, and pays by
    making the least important ones one step faster, or else two. Where no such exchange can be
    paid for, because the important parts are most of the payload, protection stays equal.
    """
    equal = [mcs] * len(importances)
    if not unequal or len(set(importances)) < 2:
        return equal
    at = MCS_TABLE.index(mcs)
    for down, up in ((2, 1), (2, 2), (1, 1), (1, 2)):
        if at < down or at + up >= len(MCS_TABLE):
            continue
        chosen = {min(importances): MCS_TABLE[at - down], max(importances): MCS_TABLE[at + up]}
        schemes = [chosen.get(importance, mcs) for importance in importances]
        if _total(n_bytes, schemes) <= _total(n_bytes, equal):
            return schemes
    return equal


def _total(n_bytes: Sequence[int], schemes: Sequence[Mcs]) -> int:
    return sum(symbols_needed(n, mcs) for n, mcs in zip(n_bytes, schemes, strict=True))
