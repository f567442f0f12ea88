# SPDX-License-Identifier: Apache-2.0
"""One frame by itself, without a channel: what studies, benches and tests ask of a codec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import Codec, Decoder, Encoder, Memory, Received
from semcom_ros.frame import Frame
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.pipeline.decodable import check_header
from semcom_ros.pipeline.transmitter import Transmitter
from semcom_ros.reconstruction import Reconstruction


def encode(
    name: str, encoder: Encoder, frame: Frame, payload_bytes: int, sequence: int = 0
) -> Payload:
    """The payload of `frame` by an encoder of codec `name`. Raises SemcomError."""
    transmitter = Transmitter(name, encoder)
    transmitter.sequence = sequence
    return transmitter.transmit(frame, payload_bytes).payload


def decode(
    name: str,
    decoder: Decoder,
    payload: Payload,
    memory: Memory | None = None,
    codec: Codec | None = None,
) -> Reconstruction:
    """All that a decoder of codec `name` makes of `payload`. Raises PayloadError."""
    *_, whole = steps(name, decoder, payload, memory, codec)
    return whole


def steps(
    name: str,
    decoder: Decoder,
    payload: Payload,
    memory: Memory | None = None,
    codec: Codec | None = None,
) -> Iterator[Reconstruction]:
    """What a decoder of codec `name` knows before the image, then all. Raises PayloadError."""
    check_header(payload.header, name, codec or codec_of(name), decoder.model)
    received, sequence = Received(payload, memory or Memory()), payload.header.sequence
    (known,) = decoder.decode_labels([received])
    if isinstance(known, PayloadError):
        raise known
    received.memory.keep(sequence, known)
    yield known
    (image,) = decoder.decode_images([received], [known])
    if isinstance(image, PayloadError):
        raise image
    if image is not None:
        received.memory.image = (sequence, image)
    yield replace(known, image=image)
