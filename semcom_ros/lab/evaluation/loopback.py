# SPDX-License-Identifier: Apache-2.0
"""Both ends of a codec in one process: what the vehicle sends, and what the RSU makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from semcom_ros.codecs import Decoder, Encoder, create_decoder, create_encoder
from semcom_ros.frame import Frame
from semcom_ros.payload import pack, unpack
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir


def encoder_of(codec: str, device: str = "cpu", models: Path | None = None) -> Encoder:
    """The vehicle's end with its networks on `device` and weights from `models`."""
    places = {"device": device} if codec == "sqgan" else {}
    return create_encoder(codec, models=models or models_dir(), **places)


def decoder_of(
    codec: str, device: str = "cpu", models: Path | None = None, **settings: Any
) -> Decoder:
    """The RSU's end, likewise."""
    return create_decoder(codec, device=device, models=models or models_dir(), **settings)


def send(encoder: Encoder, frame: Frame, n_bytes: int, sequence: int = 0) -> bytes:
    """The packed payload of `frame` (with the labels to send), at most `n_bytes`."""
    return pack(encoder.encode(frame, n_bytes, sequence))


def receive_labels(decoder: Decoder, data: Iterable[bytes]) -> list[Reconstruction]:
    """Labels and confidence from each packed payload."""
    return [next(decoder.decode(unpack(one))) for one in data]


def receive(decoder: Decoder, data: Iterable[bytes]) -> list[Reconstruction]:
    """The same with the image."""
    return [list(decoder.decode(unpack(one)))[-1] for one in data]
