# SPDX-License-Identifier: Apache-2.0
"""Somebody else's codec, named "module:attribute", behind the contract of this package's own.

The attribute is an object, or what makes one when called, with `encode(frame, request)` ->
parts and `decode_images(batch, known)` -> images; a `decode_labels(batch)` of its own makes it a
codec that sends label maps; a `Codec` of two ends is taken as it is. `docs/architecture.md` has an
example.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pkgutil import resolve_name
from typing import Any

import numpy as np

from semcom_ros.codecs.base import Codec, CodecEnd, Received, Request
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.payload import Part, PayloadError
from semcom_ros.reconstruction import Reconstruction


@cache
def made(place: str) -> Any:
    """The object that `place` names, one for both ends. Raises SemcomError."""
    try:
        found = resolve_name(place)
        found = found() if isinstance(found, type) else found
    except (ImportError, AttributeError, ValueError) as error:
        raise SemcomError(
            f"The codec '{place}' cannot be loaded: {error}. Name it as module:attribute, with the "
            "module on PYTHONPATH."
        ) from error
    missing = [name for name in ("encode", "decode_images") if not hasattr(found, name)]
    if missing and not isinstance(found, Codec):
        raise SemcomError(f"The codec '{place}' has no method {missing[0]}: it needs one.")
    return found


def codec(place: str) -> Codec:
    """The codec around the object that `place` names. Raises SemcomError."""
    found, end = made(place), "semcom_ros.codecs.foreign:Foreign"
    if isinstance(found, Codec):
        return found
    return Codec(end, end, 1, hasattr(found, "decode_labels"), options={"place": place})


class Foreign(CodecEnd):
    """Either end."""

    def __init__(self, place: str, **end: Any) -> None:
        super().__init__(**end)
        self.inner = made(place)
        if hasattr(self.inner, "to"):
            self.inner.to(self.device)

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        return tuple(self.inner.encode(frame, request))

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction | PayloadError]:
        if hasattr(self.inner, "decode_labels"):
            return list(self.inner.decode_labels(batch))
        return [Reconstruction()] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray | PayloadError]:
        return list(self.inner.decode_images(batch, known))
