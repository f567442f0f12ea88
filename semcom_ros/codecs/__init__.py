# SPDX-License-Identifier: Apache-2.0
"""The codecs by name; a codec's modules are imported when it is created, and not before."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.payload import Payload
from semcom_ros.reconstruction import Reconstruction

CODECS = {
    "gesco": "semcom_ros.codecs.gesco",
    "sqgan": "semcom_ros.codecs.sqgan",
    "classical": "semcom_ros.codecs.image",
    "jpeg2000": "semcom_ros.codecs.image.jpeg2000",
    "hevc": "semcom_ros.codecs.image.hevc",
    "av1": "semcom_ros.codecs.image.av1",
}


class Encoder(Protocol):
    """The vehicle's end of a codec. uses_labels: it needs `frame.labels`.

    A codec with settings of its own takes them by name, and has `configure` to change them.
    """

    uses_labels: bool

    def warm_up(self) -> None:
        """Do what the first frame would wait for, in the thread that is going to encode."""

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """Encode a frame fitted to the size of work into at most `payload_bytes` when packed.

        Raises SemcomError that says the least it needs.
        """


class Decoder(Protocol):
    """The RSU's end of a codec. gives_labels: its reconstructions hold a received label map.

    device: where its networks run, as torch names it; a codec without networks does not care.
    """

    gives_labels: bool

    def __init__(self, device: str = "cpu") -> None: ...

    def warm_up(self) -> None:
        """Do what the first frame would wait for, in the thread that is going to decode."""

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield ever more complete reconstructions, labels first; raises PayloadError."""


def settings_of(codec: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `settings` that are the codec's own: their names begin with its name."""
    return {name: value for name, value in settings.items() if name.startswith(f"{codec}_")}


def encoder_class(name: str) -> type[Encoder]:
    """The encoder of codec `name` before it loads anything; raises SemcomError as `choose` does."""
    return _end_class(name, "encoder")


def create_encoder(name: str, **options: Any) -> Encoder:
    """The encoder of codec `name`; raises SemcomError for an unknown name or option."""
    return _create(name, "encoder", options)


def create_decoder(name: str, **options: Any) -> Decoder:
    """The decoder of codec `name`; raises SemcomError for an unknown name or option."""
    return _create(name, "decoder", options)


def _end_class(name: str, end: str) -> type:
    module = importlib.import_module(f"{CODECS[choose(name, CODECS, 'codec')]}.{end}")
    return getattr(module, end.capitalize())


def _create(name: str, end: str, options: dict[str, Any]) -> Any:
    cls = _end_class(name, end)
    known = inspect.signature(cls).parameters
    for option in options:
        if option not in known:
            valid = ", ".join(known) or "none"
            raise SemcomError(f"The {end} of codec '{name}' has no option '{option}': {valid}.")
    return cls(**options)
