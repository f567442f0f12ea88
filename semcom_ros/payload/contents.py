# SPDX-License-Identifier: Apache-2.0
"""A payload: its header, its parts, and why it may be rejected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera

MAX_PIXELS = 64 * 2**20
MAX_TEXT_BYTES = 1024
MAX_COEFFICIENTS = 16
MAX_PARTS = 15
MAX_IMPORTANCE = 63
MAX_SEAL_BYTES = 512
REASONS = ("malformed", "version", "codec", "model", "stale", "duplicate", "lost", "late",
           "reference", "authentication")  # fmt: skip
"""Every reason for which a receiver may reject a payload."""


class PayloadError(SemcomError):
    """A payload that the receiver rejects; `reason` is one of `REASONS`, the text a sentence."""

    def __init__(self, reason: str, sentence: str) -> None:
        assert reason in REASONS, reason
        super().__init__(sentence)
        self.reason = reason


def check_int(value: Any, low: int, high: int, what: str) -> None:
    if type(value) is not int or not low <= value <= high:
        raise SemcomError(f"A payload's {what} is {value!r}: it must be an int {low} to {high}.")


def check_text(value: Any, what: str) -> None:
    if not isinstance(value, str) or len(value.encode()) > MAX_TEXT_BYTES:
        raise SemcomError(f"A payload's {what} must be a text of at most {MAX_TEXT_BYTES} bytes.")


@dataclass(frozen=True)
class Header:
    """What a receiver must know before it reads the parts.

    model: first 8 bytes of the hash of what both ends must share, b"" if nothing. height, width:
    pixels of the frame as coded; source_height, source_width: as taken, 0 where not told. stamp:
    ns of capture since the epoch. task: canonical instruction, "" for all. vehicle: the sender's
    number. reference: sequence number of the frame that this one leans on, 0: it stands alone.
    camera: intrinsics of the source images, and where it is mounted, where they are told; they
    cross in single precision. Raises SemcomError on a value that the wire format does not hold.
    """

    codec: str
    codec_version: int
    model: bytes
    height: int
    width: int
    label_space: str
    sequence: int
    stamp: int
    task: str = ""
    vehicle: int = 0
    reference: int = 0
    source_height: int = 0
    source_width: int = 0
    camera: Camera | None = None

    def __post_init__(self) -> None:
        for name in ("codec", "label_space", "task"):
            check_text(getattr(self, name), name)
        check_int(self.codec_version, 0, 255, "codec version")
        check_int(self.height, 1, MAX_PIXELS, "height")
        check_int(self.width, 1, MAX_PIXELS // self.height, "width")
        check_int(self.source_height, 0, MAX_PIXELS, "height of the source")
        most = MAX_PIXELS // max(self.source_height, 1)
        check_int(self.source_width, 0, most, "width of the source")
        for name in ("sequence", "vehicle", "reference"):
            check_int(getattr(self, name), 0, 2**32 - 1, name)
        check_int(self.stamp, 0, 2**63 - 1, "stamp")
        if not isinstance(self.model, bytes) or len(self.model) not in (0, 8):
            raise SemcomError("A payload's model hash must be 8 bytes, or none.")
        if self.camera is not None:
            self._check_camera(self.camera)

    def _check_camera(self, camera: Camera) -> None:
        check_text(camera.distortion_model, "distortion model")
        values = (*camera.matrix, *camera.distortion, *(camera.mounting or ()))
        if len(camera.distortion) > MAX_COEFFICIENTS or not all(map(math.isfinite, values)):
            raise SemcomError(
                "A payload's intrinsics and mounting must be finite, with at most "
                f"{MAX_COEFFICIENTS} coefficients of distortion."
            )
        if (camera.height, camera.width) != (self.source_height, self.source_width):
            raise SemcomError("A payload's intrinsics must be those of its source's size.")

    def expect(self, codec: str, version: int | None = None, model: bytes | None = None) -> None:
        """Raise PayloadError codec, version or model unless the payload is for this decoder.

        `version` and `model` are left unchecked where None.
        """
        if self.codec != codec:
            raise PayloadError(
                "codec",
                f"The payload is of codec '{self.codec}', the decoder of '{codec}': "
                "start both ends with the same codec.",
            )
        if version not in (None, self.codec_version):
            raise PayloadError(
                "version",
                f"The payload is of {codec}/{self.codec_version}, the decoder of "
                f"{codec}/{version}: install the same release at both ends.",
            )
        if model not in (None, self.model):
            raise PayloadError(
                "model",
                f"The payload needs model {self.model.hex() or 'none'}, the decoder holds "
                f"{model.hex() or 'none'}: give both ends the same model files.",
            )


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
    """Everything that is sent for one frame.

    snr_db: the link's own estimate, if it has one. seal: what authenticates header and parts, b""
    where nothing does; it goes with the header, and the radio leaves it as it is.
    """

    header: Header
    parts: tuple[Part, ...]
    snr_db: float | None = None
    seal: bytes = b""

    def __post_init__(self) -> None:
        if len(self.parts) > MAX_PARTS:
            raise SemcomError(f"A payload has at most {MAX_PARTS} parts, not {len(self.parts)}.")
        if len({part.name for part in self.parts}) < len(self.parts):
            raise SemcomError("Two parts of a payload have the same name.")
        snr_db = self.snr_db
        if snr_db is not None and not (isinstance(snr_db, float) and math.isfinite(snr_db)):
            raise SemcomError("A payload's SNR must be a finite float in dB, or None.")
        if not isinstance(self.seal, bytes) or len(self.seal) > MAX_SEAL_BYTES:
            raise SemcomError(f"A payload's seal must be at most {MAX_SEAL_BYTES} bytes.")

    @property
    def is_lost(self) -> bool:
        """Whether all that the rest cannot be decoded without was lost on the air."""
        first = min((part.importance for part in self.parts), default=0)
        return bool(self.parts) and all(p.erased for p in self.parts if p.importance == first)

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
