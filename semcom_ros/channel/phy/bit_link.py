# SPDX-License-Identifier: Apache-2.0
"""Parts of bits over the radio: coded, protected by importance, whole or lost at the far end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.mcs import MCS_TABLE, Mcs, split_into_blocks, symbols_needed
from semcom_ros.channel.phy.theory import awgn_bit_error_rate
from semcom_ros.payload import Part

if TYPE_CHECKING:
    from semcom_ros.channel.phy.sionna_phy import ExactLink

AUTO, EXACT, UNEQUAL = "auto", "exact", "unequal"
UP_MARGIN_DB = 1.0
"""SNR beyond its threshold that a scheme needs before `RateControl` climbs to it."""
_BY_NAME = {mcs.name: mcs for mcs in MCS_TABLE}


class BitLink:
    """Chooses the code of each part and carries it. Raises SemcomError from `configure`.

    reported_snr_db: the SNR that the receiver reported last; the MCS `auto` goes by it.
    """

    def __init__(self, settings: SimpleNamespace) -> None:
        self.reported_snr_db: float | None = None
        self._exact: ExactLink | None = None
        self._rate_control = RateControl(settings.bler_target)
        self.configure(settings)

    def configure(self, settings: SimpleNamespace) -> None:
        """Take `settings`; the choice of `auto` keeps its memory unless its target changes."""
        exact = self._exact if settings.coding == EXACT else None
        if settings.coding == EXACT and exact is None:
            from semcom_ros.channel.phy.sionna_phy import ExactLink

            exact = ExactLink()
        if settings.bler_target != self._rate_control.bler_target:
            self._rate_control = RateControl(settings.bler_target)
        self._exact, self._settings = exact, settings

    def codes(self, parts: Sequence[Part]) -> list[Mcs]:
        """The MCS of each of `parts`, which all hold bits."""
        if not parts:
            return []
        lengths = [len(part.bits or b"") for part in parts]
        if self._settings.mcs == AUTO:
            mcs = self._rate_control.choose(self.reported_snr_db, max(lengths))
        else:
            mcs = _BY_NAME[self._settings.mcs]
        unequal = self._settings.protection == UNEQUAL
        importances = [part.importance for part in parts]
        return protect(lengths, importances, mcs, unequal)

    def transmit(
        self,
        part: Part,
        mcs: Mcs,
        gains: np.ndarray,
        noise_variance: np.ndarray,
        random: np.random.Generator,
    ) -> tuple[Part, float, float]:
        """Carry `part` over the fades `gains` complex64 [n], one for each of its symbols.

        noise_variance: E|n|^2 of each, of unit mean power: all that is noise to the receiver.
        Returns the part as it arrived, and the error rates that its symbols met (0..1): of its
        block or blocks after decoding, and of its bits before it.
        """
        sent = part.bits or b""
        if self._exact is not None:
            bits = self._exact.transmit(sent, mcs, gains, noise_variance, random)
            received = erase(part) if bits is None else replace(part, bits=bits)
            return received, float(bits is None), self._exact.bit_error_rate
        sinr = np.maximum(np.abs(gains) ** 2 / noise_variance, 1e-9)
        # Every eighth symbol tells the mean as well, and the formula is the dearest step of all.
        bit_error_rates = awgn_bit_error_rate(mcs.modulation, 10 * np.log10(sinr[::8]))
        arrived, rate = block_errors.transmit(len(sent), mcs, sinr, random)
        return part if arrived else erase(part), rate, float(bit_error_rates.mean())


def erase(part: Part) -> Part:
    """`part` as it looks to the receiver after it was lost."""
    return replace(part, bits=None, symbols=None, noise_variance=None, erased=True)


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
