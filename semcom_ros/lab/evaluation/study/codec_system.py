# SPDX-License-Identifier: Apache-2.0
"""Any codec of the package over the emulated radio, as vehicle and RSU use it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cache
from pkgutil import resolve_name
from typing import Any

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs import codec_of, create_decoder, create_encoder
from semcom_ros.codecs.base import Decoder, Encoder, Memory
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import Outcome, concealed, rate_of, symbols_sent, timed
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.pipeline.single import decode
from semcom_ros.pipeline.transmitter import Transmitter
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

FOREIGN = "foreign"
REMEMBERED = 256
"""Reconstructions kept: links that lose nothing deliver the same payloads again and again."""


class CodecSystem:
    """Codec `codec` at `payload_bytes`; a frame that is lost leaves the last good one.

    options: of the encoder where it knows them, else of the decoder. A frame that the vehicle
    cannot encode within the bytes is not sent, and is lost. Rates are those of `rate_of`, channel
    uses over a radio the radio's own.
    """

    links = frozenset({NONE, "channel"})

    def __init__(self, codec: str, payload_bytes: int = 512, **options: Any) -> None:
        self._encoder, self._decoder = _ends(codec, tuple(sorted(options.items())))
        self.codec, self.setting = codec, payload_bytes
        self._codec = codec_of(codec)
        # The name of somebody else's codec takes no more bytes than that of one of ours.
        self._name = FOREIGN if ":" in codec else codec
        self.uses_labels = self._codec.sends_labels
        self.models = tuple(sorted(models_dir().glob(f"{codec}_*.safetensors")))
        self._sent: dict[int, tuple[Payload | SemcomError, float]] = {}
        self._shown: dict[tuple[int, tuple[bool, ...]], tuple[Reconstruction, float]] = {}

    def begin(self, link: Link, seed: int) -> None:
        self._link, self._channel = link, link.channel(seed)
        self._last: Reconstruction | None = None
        self._memory = Memory()

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        payload, encode_ms = self._encode(frame, labels, index)
        sent = labels if self.uses_labels else None
        if isinstance(payload, SemcomError):
            concealment = self._concealed(frame)
            return Outcome(concealment, sent, lost=True, refusal=str(payload), budget=self.setting)
        rate = rate_of(payload, frame)
        received = self._channel.transmit(payload)
        ideal = self._link.kind == NONE
        outcome = Outcome(
            self._concealed(frame),
            sent,
            rate.bytes,
            rate.bits_per_pixel,
            rate.channel_uses if ideal else symbols_sent(self._channel),
            encode_ms,
            lost=True,
            budget=self.setting,
            container_bytes=self._container_bytes(payload),
        )
        try:
            self._last, decode_ms = self._decode(payload, received, index)
        except PayloadError:
            return outcome
        return replace(outcome, reconstruction=self._last, decode_ms=decode_ms, lost=False)

    def end(self) -> None:
        self._sent.clear()
        self._shown.clear()

    def _container_bytes(self, payload: Payload) -> int | None:
        """Of codecs that leave out a standard's container."""
        known = getattr(self._encoder, "container_bytes", None)
        return None if known is None else known(payload.parts)

    def _concealed(self, frame: Frame) -> Reconstruction:
        """What the RSU goes on showing when nothing new comes."""
        return concealed(frame, self._last, self.uses_labels)

    def _encode(
        self, frame: Frame, labels: np.ndarray | None, index: int
    ) -> tuple[Payload | SemcomError, float]:
        """The payload of frame `index`, the same over every link, or why there is none."""
        if index not in self._sent:
            fed = frame if labels is None else replace(frame, labels=labels)
            if index == 0:
                self._transmitter = Transmitter(self._name, self._encoder, codec=self._codec)
            try:
                made, ms = timed(lambda: self._transmitter.transmit(fed, self.setting).payload)
            except SemcomError as error:
                made, ms = error, 0.0
            self._sent[index] = made, ms
        return self._sent[index]

    def _decode(self, sent: Payload, received: Payload, index: int) -> tuple[Reconstruction, float]:
        """The last reconstruction; decoded anew only where it may differ. Raises PayloadError."""
        key = (index, tuple(part.erased for part in received.parts))
        if key in self._shown:
            return self._shown[key]
        made = timed(lambda: decode(self._name, self._decoder, received, self._memory, self._codec))
        alike = not self._codec.leans and all(
            part.bits is not None or part.erased for part in received.parts
        )
        if alike and len(self._shown) < REMEMBERED:
            self._shown[key] = made
        return made


@cache
def _ends(codec: str, options: tuple[tuple[str, Any], ...]) -> tuple[Encoder, Decoder]:
    """Both ends, warmed up, for every size and every link. Raises SemcomError."""
    made = codec_of(codec)
    known = inspect.signature(resolve_name(made.encoder)).parameters.keys()
    sent = made.settings.parameters(codec, "encoder")
    known |= {p.name.removeprefix(f"{codec}_") for p in sent}
    own = {p.name.removeprefix(f"{codec}_") for p in made.settings.parameters(codec)}
    named = [(k, f"{codec}_{k}" if k in own else k, v) for k, v in options]
    encoder = create_encoder(codec, **{name: v for k, name, v in named if k in known})
    decoder = create_decoder(codec, **{name: v for k, name, v in named if k not in known})
    encoder.warm_up()
    decoder.warm_up()
    return encoder, decoder
