# SPDX-License-Identifier: Apache-2.0
"""Parts of bits over the radio: coded, protected by importance, whole or lost at the far end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from semcom_ros.channel.phy import link_abstraction
from semcom_ros.channel.phy.mcs import MCS_TABLE, Mcs, RateControl, protect
from semcom_ros.channel.phy.theory import awgn_bit_error_rate
from semcom_ros.payload import Part

AUTO, EXACT, UNEQUAL = "auto", "exact", "unequal"
_BY_NAME = {mcs.name: mcs for mcs in MCS_TABLE}


class Arrival(NamedTuple):
    """A part as it arrived, with the error rates that its symbols met (0..1): of its block or
    blocks after decoding, and of its bits before it."""

    part: Part
    block_error_rate: float
    bit_error_rate: float


class BitLink:
    """Chooses the code of each part and carries it. Raises SemcomError from `configure`.

    reported_snr_db: the SNR that the receiver reported last; the MCS `auto` goes by it.
    """

    def __init__(self, settings: SimpleNamespace) -> None:
        self.reported_snr_db: float | None = None
        self._exact = None
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
        if self._settings.mcs == AUTO:
            longest = max(len(part.bits) for part in parts)
            mcs = self._rate_control.choose(self.reported_snr_db, longest)
        else:
            mcs = _BY_NAME[self._settings.mcs]
        unequal = self._settings.protection == UNEQUAL
        importances = [part.importance for part in parts]
        return protect([len(part.bits) for part in parts], importances, mcs, unequal)

    def transmit(
        self,
        part: Part,
        mcs: Mcs,
        gains: np.ndarray,
        noise_variance: np.ndarray,
        random: np.random.Generator,
    ) -> Arrival:
        """Carry `part` over the fades `gains` complex64 [n], one for each of its symbols.

        noise_variance: E|n|^2 of each, of unit mean power: all that is noise to the receiver.
        """
        if self._exact is not None:
            bits = self._exact.transmit(part.bits, mcs, gains, noise_variance, random)
            received = erase(part) if bits is None else replace(part, bits=bits)
            return Arrival(received, float(bits is None), self._exact.bit_error_rate)
        sinr = np.maximum(np.abs(gains) ** 2 / noise_variance, 1e-9)
        # Every eighth symbol tells the mean as well, and the formula is the dearest step of all.
        bit_error_rates = awgn_bit_error_rate(mcs.modulation, 10 * np.log10(sinr[::8]))
        arrived, rate = link_abstraction.transmit(len(part.bits), mcs, sinr, random)
        return Arrival(part if arrived else erase(part), rate, float(bit_error_rates.mean()))


def erase(part: Part) -> Part:
    """`part` as it looks to the receiver after it was lost."""
    return replace(part, bits=None, symbols=None, noise_variance=None, erased=True)
