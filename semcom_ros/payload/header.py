# SPDX-License-Identifier: Apache-2.0
"""The header of a payload, and why a payload may be rejected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera

MAX_PIXELS = 64 * 2**20
MAX_TEXT_BYTES = 1024
MAX_COEFFICIENTS = 16
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
