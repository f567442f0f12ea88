# SPDX-License-Identifier: Apache-2.0
"""Payloads of one part with which the radio is probed."""

from __future__ import annotations

import numpy as np

from semcom_ros.channel.phy.modulation import constellation
from semcom_ros.payload import Header, Part, Payload


def analog(symbols: np.ndarray, sequence: int = 0) -> Payload:
    """Frame `sequence`, which holds symbols, complex64 [n]."""
    return _payload(Part("planes", 0, symbols=symbols), sequence)


def digital(data: bytes, sequence: int = 0) -> Payload:
    """Frame `sequence`, which holds bits."""
    return _payload(Part("labels", 0, bits=data), sequence)


def qpsk(n: int, rng: np.random.Generator) -> np.ndarray:
    """Random symbols of unit power, complex64 [n]."""
    return constellation("qpsk")[rng.integers(0, 4, n)]


def _payload(part: Part, sequence: int) -> Payload:
    return Payload(Header("gesco", 1, b"", 256, 512, "cityscapes19", sequence, 1), (part,))
