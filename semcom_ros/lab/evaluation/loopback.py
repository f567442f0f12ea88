# SPDX-License-Identifier: Apache-2.0
"""Both ends of a codec in one process: what the vehicle sends, and what the RSU makes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import Memory, Received
from semcom_ros.frame import Frame
from semcom_ros.payload import PayloadError, pack, unpack
from semcom_ros.pipeline.transmitter import Transmitter
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir


class Loopback:
    """Codec `codec` with its networks on `device` and weights from the folder `models`.

    settings: of both ends, by parameter name.
    """

    def __init__(
        self, codec: str, device: str = "cpu", models: Path | None = None, **settings: Any
    ) -> None:
        places = {"device": device, "models": models or models_dir()}
        self._encoder = partial(create_encoder, codec, **places, **settings)
        self.encoder = self._encoder()
        self.decoder = create_decoder(codec, **places, **settings)
        self._codec = codec
        self._vehicles: dict[int, Transmitter] = {}
        self._memories: dict[int, Memory] = defaultdict(Memory)

    def send(self, frame: Frame, n_bytes: int) -> bytes:
        """The packed payload of `frame` (with the labels to send), at most `n_bytes`.

        Each size is a vehicle of its own, with frames that may lean on those before.
        """
        if n_bytes not in self._vehicles:
            encoder = self._encoder() if self._vehicles else self.encoder
            self._vehicles[n_bytes] = Transmitter(self._codec, encoder, vehicle=n_bytes)
        return pack(self._vehicles[n_bytes].transmit(frame, n_bytes).payload)

    def receive_labels(self, data: Iterable[bytes]) -> list[Reconstruction]:
        """Labels and confidence of packed payloads, as one batch. Raises PayloadError."""
        return self._labels(self._received(data))

    def receive(self, data: Iterable[bytes]) -> list[Reconstruction]:
        """The same with the images."""
        batch = self._received(data)
        known = self._labels(batch)
        images: list[np.ndarray] = _good(self.decoder.decode_images(batch, known))
        return [
            Reconstruction(image, one.labels, one.confidence, one.support)
            for image, one in zip(images, known, strict=True)
        ]

    def _received(self, data: Iterable[bytes]) -> list[Received]:
        payloads = map(unpack, data)
        return [Received(one, self._memories[one.header.vehicle]) for one in payloads]

    def _labels(self, batch: list[Received]) -> list[Reconstruction]:
        return _good(self.decoder.decode_labels(batch))


def _good(items: list[Any]) -> list[Any]:
    for item in items:
        if isinstance(item, PayloadError):
            raise item
    return items
