# SPDX-License-Identifier: Apache-2.0
"""Payloads of one part with which the radio is probed, and what is held against a bound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from semcom_ros.channel.phy.modulation import constellation
from semcom_ros.payload import Header, Part, Payload


class Figure(NamedTuple):
    """One line of a check's table: it holds while `measured` lies between `least` and `most`."""

    what: str
    measured: float
    wanted: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """False where the measured value is no number."""
        return bool(self.least <= self.measured <= self.most)


def within(bound: float, what: str, measured: float, wanted: float) -> Figure:
    """A figure that may lie `bound` to either side of what is wanted."""
    return Figure(what, float(measured), float(wanted), wanted - bound, wanted + bound)


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
