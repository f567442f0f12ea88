# SPDX-License-Identifier: Apache-2.0
"""The formulas that the emulated radio is held against.

SNR is that of a complex symbol, E|x|^2 / E|n|^2, in dB, the mean over the fade where there is one.
"""

from __future__ import annotations

import numpy as np

from semcom_ros.channel.phy.modulation import bits_per_symbol

_ANGLES = 200


def awgn_bit_error_rate(modulation: str, snr_db: np.ndarray | float) -> np.ndarray:
    """Of Gray QAM over white noise: exact, all bits counted alike; any shape, that of `snr_db`.

    Cho, Yoon, "On the general BER expression of one- and two-dimensional amplitude modulations",
    IEEE Trans. Commun. 50(7), 2002, equations 14 to 16.
    """
    from scipy.special import erfc

    weights, slopes = _terms(modulation)
    snr = 10 ** (np.asarray(snr_db) / 10)
    return erfc(np.sqrt(snr[..., None] * slopes)) @ weights


def rayleigh_bit_error_rate(modulation: str, snr_db: float) -> float:
    """Of Gray QAM over Rayleigh fading that the receiver knows: the mean of each erfc, closed.

    Proakis, "Digital communications", 4th edition, 2001, equation 14.3-7.
    """
    weights, slopes = _terms(modulation)
    snr = slopes * 10 ** (snr_db / 10)
    return float(weights @ (1 - np.sqrt(snr / (1 + snr))))


def rician_bit_error_rate(modulation: str, snr_db: float, k_db: float) -> float:
    """Of Gray QAM over Rician fading that the receiver knows.

    erfc(sqrt(b g)) is 2 / pi times the integral of exp(-b g / sin^2 t) over t from 0 to pi / 2
    (Craig), whose mean over g is its moment generating function (Simon, Alouini, "Digital
    communication over fading channels", 2nd edition, 2005, table 2.2 and equation 4.2).
    """
    weights, slopes = _terms(modulation)
    k = 10 ** (k_db / 10)
    # The midpoint rule: the integrand is periodic and smooth, so that 200 points are exact.
    angles = (np.arange(_ANGLES) + 0.5) * (np.pi / 2 / _ANGLES)
    snr = np.outer(slopes * 10 ** (snr_db / 10), np.sin(angles) ** -2)
    means = (1 + k) / (1 + k + snr) * np.exp(-k * snr / (1 + k + snr))
    return float(weights @ means.mean(axis=1))


def jakes_autocorrelation(doppler_hz: float, delay_s: np.ndarray) -> np.ndarray:
    """E h(t) h*(t - s) of the fade at `delay_s` [t]: J0(2 pi f s) (Clarke 1968; Jakes 1974)."""
    from scipy.special import j0

    return j0(2 * np.pi * doppler_hz * np.asarray(delay_s))


def _terms(modulation: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights w and slopes b of the bit error rate as the sum of w erfc(sqrt(b SNR))."""
    bits = bits_per_symbol(modulation) // 2
    levels = 2**bits
    weights = np.zeros(levels - 1)
    for k in range(bits):
        for i in range(levels - levels // 2 ** (k + 1)):
            turns = i * 2**k / levels
            weights[i] += (-1) ** int(turns) * (2**k - int(turns + 0.5)) / (levels * bits)
    odd = 2 * np.arange(levels - 1) + 1
    return weights, odd**2 * 1.5 / (levels**2 - 1)
