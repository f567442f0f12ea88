# SPDX-License-Identifier: Apache-2.0
"""QAM as 5G has it: bits to symbols and back, hard or soft, and what a symbol can carry.

All of them are square and Gray-coded (3GPP TS 38.211 5.1): of a symbol's bits b0 b1 b2 ... the even
ones choose the real part and the odd ones the imaginary part, each an amplitude of one and the same
alphabet. Everything here is therefore done once per real dimension.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from semcom_ros.errors import SemcomError, choose

MODULATIONS = {"qpsk": 2, "16qam": 4, "64qam": 6}
"""Bits that a symbol carries."""

_TABLE_SNR_DB = np.arange(-30.0, 40.1, 0.2)
_QUADRATURE_NODES = 40


def bits_per_symbol(name: str) -> int:
    """Bits that a symbol of modulation `name` carries; raises SemcomError if there is none."""
    return MODULATIONS[choose(name, MODULATIONS, "modulation")]


@cache
def constellation(name: str) -> np.ndarray:
    """The symbols of `name`, complex64 [2^m] of unit mean power.

    Indexed by the integer of a symbol's bits, the first bit the most significant.
    """
    m = bits_per_symbol(name)
    amplitudes = _amplitudes(name)
    index = np.arange(2**m)
    bits = (index[:, None] >> np.arange(m - 1, -1, -1)) & 1
    weights = 1 << np.arange(m // 2 - 1, -1, -1)
    real, imaginary = amplitudes[bits[:, ::2] @ weights], amplitudes[bits[:, 1::2] @ weights]
    return _frozen((real + 1j * imaginary).astype(np.complex64))


def modulate(bits: np.ndarray, name: str) -> np.ndarray:
    """The symbols complex64 [n / m] of `bits` uint8 [n]; raises SemcomError if m does not divide n.

    m: bits a symbol.
    """
    m = bits_per_symbol(name)
    if len(bits) % m:
        raise SemcomError(f"{len(bits)} bits fill no whole number of {name} symbols of {m} bits.")
    return constellation(name)[bits.reshape(-1, m) @ (1 << np.arange(m - 1, -1, -1))]


def hard_decide(symbols: np.ndarray, name: str) -> np.ndarray:
    """The bits uint8 [m n] of the symbols of `name` that are nearest to `symbols` complex [n]."""
    amplitudes = _amplitudes(name)
    order = np.argsort(amplitudes)
    edges = (amplitudes[order][1:] + amplitudes[order][:-1]) / 2
    half = bits_per_symbol(name) // 2
    bits = np.empty((len(symbols), half, 2), np.uint8)
    for part, values in enumerate((symbols.real, symbols.imag)):
        bits[:, :, part] = _labels(half)[order[np.searchsorted(edges, values)]]
    return bits.reshape(-1)


def soft_decide(symbols: np.ndarray, noise_variance: np.ndarray | float, name: str) -> np.ndarray:
    """Log-likelihood ratios log p(bit 0) / p(bit 1), float32 [m n], of `symbols` complex [n].

    symbols: equalised, so that y = x + noise of E|noise|^2 = noise_variance (one value or [n]).
    Exact: sums over all amplitudes, not the nearest alone.
    """
    half = bits_per_symbol(name) // 2
    variance = np.broadcast_to(np.asarray(noise_variance, np.float32), symbols.shape)
    ratios = np.empty((len(symbols), half, 2), np.float32)
    ratios[:, :, 0] = _ratios(symbols.real.astype(np.float32), variance, name).T
    ratios[:, :, 1] = _ratios(symbols.imag.astype(np.float32), variance, name).T
    return ratios.reshape(-1)


def mutual_information(name: str, snr: np.ndarray | float) -> np.ndarray:
    """Bits of information that one coded bit carries, 0..1, at `snr` = E|x|^2 / E|n|^2 (linear).

    Of bit-interleaved coded modulation (Caire, Taricco and Biglieri 1998, eq. 15, over the mean of
    the m bits of a symbol): times m it is the capacity of such a link in bits a symbol. Straight
    between points 0.2 dB apart; below -30 dB as at -30 dB.
    """
    return np.interp(_decibels(snr), _TABLE_SNR_DB, _information_table(name))


def snr_of_information(name: str, information: np.ndarray | float) -> np.ndarray:
    """The linear SNR at which `mutual_information` is `information` (0..1), its inverse.

    At most the SNR at which all but 1e-9 of every bit gets through.
    """
    table = _information_table(name)
    rising = np.searchsorted(table, 1 - 1e-9) + 1
    return 10 ** (np.interp(information, table[:rising], _TABLE_SNR_DB[:rising]) / 10)


@cache
def _amplitudes(name: str) -> np.ndarray:
    """The amplitudes [2^(m/2)] of one dimension by their label (TS 38.211 5.1.3 to 5.1.5)."""
    half = bits_per_symbol(name) // 2
    signs = 1.0 - 2 * _labels(half)
    values = np.ones(2**half)
    for bit in range(half - 1, 0, -1):
        values = 2.0 ** (half - bit) - signs[:, bit] * values
    values *= signs[:, 0]
    return _frozen(values / np.sqrt(2 * np.mean(values**2)))


@cache
def _labels(bits: int) -> np.ndarray:
    """The bits uint8 [2^bits, bits] of every label, most significant first."""
    labels = (np.arange(2**bits)[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return _frozen(labels.astype(np.uint8))


def _ratios(values: np.ndarray, variance: np.ndarray, name: str) -> np.ndarray:
    """Log-likelihood ratios [m/2, n] of the bits of one dimension at `values` [n]."""
    amplitudes = _amplitudes(name).astype(values.dtype)
    is_one = _labels(bits_per_symbol(name) // 2).T.astype(values.dtype)
    metrics = -((values - amplitudes[:, None]) ** 2) / variance
    # The largest is taken out, so that no exponential overflows and not all of them vanish.
    likelihoods = np.exp(metrics - metrics.max(0))
    tiny = np.finfo(values.dtype).tiny
    zero = np.maximum((1 - is_one) @ likelihoods, tiny)
    one = np.maximum(is_one @ likelihoods, tiny)
    return np.log(zero) - np.log(one)


@cache
def _information_table(name: str) -> np.ndarray:
    """Mutual information at `_TABLE_SNR_DB`, by Gauss-Hermite quadrature over the noise."""
    nodes, weights = np.polynomial.hermite.hermgauss(_QUADRATURE_NODES)
    amplitudes, labels = _amplitudes(name), _labels(bits_per_symbol(name) // 2)
    information = np.empty(len(_TABLE_SNR_DB))
    for i, variance in enumerate(10 ** (-_TABLE_SNR_DB / 10)):
        # exp(-t^2) is the density of a real noise of variance N0 / 2 at sqrt(N0) t.
        received = amplitudes[:, None] + np.sqrt(variance) * nodes
        ratios = _ratios(received.reshape(-1), variance, name).reshape(-1, *received.shape)
        losses = np.logaddexp(0, (2.0 * labels.T[:, :, None] - 1) * ratios) / np.log(2)
        information[i] = 1 - losses.mean((0, 1)) @ weights / np.sqrt(np.pi)
    return _frozen(np.maximum.accumulate(np.clip(information, 0, 1)))


def _decibels(ratio: np.ndarray | float) -> np.ndarray:
    return 10 * np.log10(np.maximum(ratio, 1e-9))


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
