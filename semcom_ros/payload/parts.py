# SPDX-License-Identifier: Apache-2.0
"""The parts of a payload, and the payload as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.payload.header import Header, PayloadError, check_int, check_text

MAX_PARTS = 15
MAX_IMPORTANCE = 63


@dataclass(frozen=True, eq=False)
class Part:
    """One stream of a payload: exactly one of bits, symbols, or erased (lost on the air).

    importance: 0 is the most important. symbols: complex64 [n], finite. noise_variance: float32
    [n], E|noise|^2 of each symbol, known only after the channel. Raises SemcomError.
    """

    name: str
    importance: int
    bits: bytes | None = None
    symbols: np.ndarray | None = None
    erased: bool = False
    noise_variance: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_text(self.name, "part name")
        check_int(self.importance, 0, MAX_IMPORTANCE, "importance")
        if (self.bits is not None) + (self.symbols is not None) + bool(self.erased) != 1:
            raise SemcomError(f"Part '{self.name}' must hold bits, or symbols, or be erased.")
        if self.bits is not None and not isinstance(self.bits, bytes):
            raise SemcomError(f"Part '{self.name}' holds bits that are not of type bytes.")
        if self.symbols is not None:
            self._check_values(self.symbols, np.dtype(np.complex64), "symbols")
        if self.noise_variance is not None:
            self._check_values(self.noise_variance, np.dtype(np.float32), "noise variance")
            if self.symbols is None or len(self.noise_variance) != len(self.symbols):
                raise SemcomError(f"Part '{self.name}' needs one noise variance per symbol.")
            if (self.noise_variance < 0).any():
                raise SemcomError(f"Part '{self.name}' has a negative noise variance.")

    def _check_values(self, values: np.ndarray, dtype: np.dtype, what: str) -> None:
        if values.dtype != dtype or values.ndim != 1 or not np.isfinite(values).all():
            raise SemcomError(f"Part '{self.name}': its {what} must be finite {dtype} [n].")


@dataclass(frozen=True, eq=False)
class Payload:
    """Everything that is sent for one frame. snr_db: the link's own estimate, if it has one."""

    header: Header
    parts: tuple[Part, ...]
    snr_db: float | None = None

    def __post_init__(self) -> None:
        if len(self.parts) > MAX_PARTS:
            raise SemcomError(f"A payload has at most {MAX_PARTS} parts, not {len(self.parts)}.")
        if len({part.name for part in self.parts}) < len(self.parts):
            raise SemcomError("Two parts of a payload have the same name.")
        snr_db = self.snr_db
        if snr_db is not None and not (isinstance(snr_db, float) and math.isfinite(snr_db)):
            raise SemcomError("A payload's SNR must be a finite float in dB, or None.")

    def part(self, name: str) -> Part:
        """The part called `name`; raises PayloadError malformed where there is none."""
        for part in self.parts:
            if part.name == name:
                return part
        held = ", ".join(part.name for part in self.parts) or "none"
        raise PayloadError("malformed", f"The payload has no part '{name}'; it holds: {held}.")

    def bits(self, name: str) -> bytes:
        """The bits of part `name`; raises PayloadError lost if erased, malformed if not bits."""
        part = self.part(name)
        if part.erased:
            raise PayloadError("lost", f"Part '{name}' was lost on the air.")
        if part.bits is None:
            raise PayloadError("malformed", f"Part '{name}' holds symbols where bits belong.")
        return part.bits
