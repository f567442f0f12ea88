# SPDX-License-Identifier: Apache-2.0
"""White noise: symbols become noisy, bits arrive whole or not at all, as a coded 5G link has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from semcom_ros.channel.base import Channel, erase
from semcom_ros.payload import Part, Payload

# Block error rate of the 5G NR LDPC code with QPSK at rate 1/2, 1024 information bits in 2048:
# Monte-Carlo runs of Sionna's decoder, 20 iterations, 72 to 360 blocks a point. At one information
# bit in a symbol Eb/N0 equals Es/N0, which is the signal to noise ratio of a complex symbol.
_SNR_DB = (1.00, 1.25, 1.50)
_BLOCK_ERROR_RATE = (0.47, 0.14, 0.036)
_BLOCK_BITS = 1024


def block_error_rate(snr_db: float) -> float:
    """Error rate of one block at `snr_db` = E|x|^2 / E|n|^2: the table, straight in the log.

    Its first and last slope go on outside of it, up to 1.
    """
    log_rates = np.log(_BLOCK_ERROR_RATE)
    first = 0 if snr_db < _SNR_DB[1] else 1
    slope = (log_rates[first + 1] - log_rates[first]) / (_SNR_DB[first + 1] - _SNR_DB[first])
    return float(np.exp(min(0.0, log_rates[first] + slope * (snr_db - _SNR_DB[first]))))


def part_error_rate(n_bytes: int, snr_db: float) -> float:
    """Probability that a part of `n_bytes` is lost: that one of its blocks fails."""
    blocks = 8 * n_bytes / _BLOCK_BITS
    return 1.0 - (1.0 - block_error_rate(snr_db)) ** blocks


class Awgn(Channel):
    """Additive white Gaussian noise at `snr_db`, E|x|^2 / E|n|^2 over a payload's symbols.

    Each part of bits is coded on its own (QPSK, 5G LDPC rate 1/2) and lost with the probability
    `part_error_rate`; symbols go uncoded.
    """

    def transmit(self, payload: Payload) -> Payload:
        """The payload with noisy symbols, their noise variance, lost bits erased and its SNR."""
        snr_db = self.parameters["snr_db"]
        sent = [part.symbols for part in payload.parts if part.symbols is not None]
        sent = np.concatenate(sent) if sent else np.zeros(0, np.complex64)
        # In float32 the square of a large symbol, or of a small one, would leave its range.
        power = float(np.mean(np.abs(sent.astype(np.complex128)) ** 2)) if len(sent) else 0.0
        variance = power * 10 ** (-snr_db / 10)
        parts = tuple(self._receive(part, snr_db, variance) for part in payload.parts)
        return replace(payload, parts=parts, snr_db=snr_db)

    def _receive(self, part: Part, snr_db: float, variance: float) -> Part:
        if part.bits is not None:
            lost = self._random.random() < part_error_rate(len(part.bits), snr_db)
            return erase(part) if lost else part
        if part.symbols is None:
            return part
        shape = part.symbols.shape
        noise = self._random.normal(0, np.sqrt(variance / 2), (2, *shape))
        symbols = (part.symbols + noise[0] + 1j * noise[1]).astype(np.complex64)
        noise_variance = np.full(shape, variance, np.float32)
        return replace(part, symbols=symbols, noise_variance=noise_variance)
