# SPDX-License-Identifier: Apache-2.0
"""Whether a part of bits arrives, from the SINR of its symbols, without coding and decoding it.

Mutual-information effective SNR mapping (Brueninghaus et al., "Link performance models for system
level simulations of broadband radio access systems", PIMRC 2005): the symbols of a block count as
one SNR, at which white noise would let as much information through; the block is lost as often as
blocks are over white noise of that SNR.
"""

from __future__ import annotations

import numpy as np

from semcom_ros.channel.phy import block_errors
from semcom_ros.channel.phy.mcs import Mcs, split_into_blocks
from semcom_ros.channel.phy.modulation import mutual_information, snr_of_information
from semcom_ros.errors import SemcomError


def effective_snr_db(sinr: np.ndarray, modulation: str) -> float:
    """The SNR in dB of white noise that lets as much through as `sinr`, linear [n], does.

    At most that at which `modulation` loses nothing any more: 16 dB for QPSK, 29 for 64-QAM.
    """
    mean = np.mean(mutual_information(modulation, sinr))
    return float(10 * np.log10(snr_of_information(modulation, mean)))


def block_error_rate(mcs: Mcs, n_bytes: int, snr_db: float) -> float:
    """Probability 0..1 that a part of `n_bytes` is lost over white noise of `snr_db`.

    A part of several blocks is lost with any of them.
    """
    bits, lengths = split_into_blocks(n_bytes, mcs)
    return 1 - (1 - block_errors.error_rate(mcs.name, bits, snr_db)) ** len(lengths)


def transmit(
    n_bytes: int, mcs: Mcs, sinr: np.ndarray, rng: np.random.Generator
) -> tuple[bool, float]:
    """Whether a part of `n_bytes` arrives, and the probability 0..1 that it does not.

    sinr: linear, of each symbol in the order of sending [symbols_needed(n_bytes, mcs)]. Raises
    SemcomError on another number of them.
    """
    bits, lengths = split_into_blocks(n_bytes, mcs)
    if len(sinr) != sum(lengths):
        raise SemcomError(
            f"{n_bytes} bytes with {mcs.name} take {sum(lengths)} symbols: "
            f"give the SINR of as many, not {len(sinr)}."
        )
    whole = 1.0
    for block in np.split(sinr, np.cumsum(lengths)[:-1]):
        snr_db = effective_snr_db(block, mcs.modulation)
        whole *= 1 - block_errors.error_rate(mcs.name, bits, snr_db)
    return bool(rng.random() < whole), 1 - whole
