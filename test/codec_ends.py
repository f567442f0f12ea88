# SPDX-License-Identifier: Apache-2.0
"""A codec's two ends as tests call them: a frame to a payload, a payload to what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import Decoder, Encoder
from semcom_ros.frame import Frame
from semcom_ros.payload import Payload
from semcom_ros.pipeline import single
from semcom_ros.reconstruction import Reconstruction


class Sending:
    """The encoder of a codec of the registry, or `encoder` in its place."""

    def __init__(self, name: str, encoder: Encoder | None = None, **options: Any) -> None:
        self.name, self.encoder = name, encoder or create_encoder(name, **options)

    def encode(self, frame: Frame, payload_bytes: int, sequence: int = 0) -> Payload:
        return single.encode(self.name, self.encoder, frame, payload_bytes, sequence)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.encoder, name)


class Reading:
    """The decoder of a codec of the registry, or `decoder` in its place."""

    def __init__(self, name: str, decoder: Decoder | None = None, **options: Any) -> None:
        self.name, self.decoder = name, decoder or create_decoder(name, **options)

    def labels(self, payload: Payload) -> Reconstruction:
        return next(self.steps(payload))

    def decode(self, payload: Payload) -> Reconstruction:
        return single.decode(self.name, self.decoder, payload)

    def steps(self, payload: Payload) -> Iterator[Reconstruction]:
        """What is known before the image, then all of it."""
        return single.steps(self.name, self.decoder, payload)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.decoder, name)
