# SPDX-License-Identifier: Apache-2.0
"""The classical chain at equal channel uses: a picture codec, LDPC and QAM, perhaps a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from semcom_ros.channel.parameters import NONE, PARAMETERS
from semcom_ros.channel.phy.mcs import CRC_BITS, MCS_TABLE, Mcs
from semcom_ros.codecs import create_decoder, create_encoder
from semcom_ros.codecs.base import SYMBOLS_PER_BYTE, Encoder, Received, Request
from semcom_ros.codecs.image import PART
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System
from semcom_ros.lab.jscc import networks
from semcom_ros.layers.image_input import to_input
from semcom_ros.payload import Part, Payload, parts_bytes
from semcom_ros.perception import perceive
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

PICTURES = ("classical", "jpeg2000", "hevc", "av1")
PERCEPTION = "perception"
READERS = (NONE, networks.READER, PERCEPTION)
CONCEALMENTS = ("last", "grey")
_SCHEMES = {mcs.name: mcs for mcs in MCS_TABLE}
Reader = Callable[[np.ndarray], np.ndarray]
"""An image uint8 [H, W, 3] RGB to its map uint8 [H, W] trainId."""


def picture_chain(
    codec: str = "jpeg2000", payload_bytes: int = 512, mcs: str = str(PARAMETERS["mcs"].default),
    conceal: str = CONCEALMENTS[0], reader: str = NONE, weights: str = "", device: str = "cpu",
) -> System:  # fmt: skip
    """The best picture of `codec` whose bits and CRC take no more channel uses with `mcs` than
    `payload_bytes` do with QPSK at rate 1/2.

    conceal: what stands for a lost block, the last good picture or grey. reader: who makes a map of
    the picture at the RSU: nobody, a fully convolutional net trained on clean images, whose file is
    `weights`, or the RSU's own perception. Raises SemcomError.
    """
    choose(codec, PICTURES, "picture codec")
    scheme = _SCHEMES[choose(mcs, _SCHEMES, "modulation and code rate")]
    choose(conceal, CONCEALMENTS, "concealment")
    path = Path(weights) if weights else networks.FOLDER / f"{networks.READER}.safetensors"
    own = {PERCEPTION: (models_dir() / perceive.FILE,), NONE: ()}
    models = own.get(choose(reader, READERS, "reader"), (path,))
    read = _reader(reader, path, device)
    made = _Chain(_encoder(codec, device), codec, bytes_within(payload_bytes, scheme), read)
    return made.system(
        codec, payload_bytes, budget=payload_bytes, models=models, mcs=mcs,
        conceals=conceal == CONCEALMENTS[0], maps=reader != NONE,
    )  # fmt: skip


def bytes_within(payload_bytes: int, mcs: Mcs) -> int:
    """Bytes of one part that takes no more symbols with `mcs` than 8 times `payload_bytes`."""
    bits = int(SYMBOLS_PER_BYTE * payload_bytes * mcs.bits_per_symbol + 1e-6) - CRC_BITS
    if bits < 8:
        raise SemcomError(f"{payload_bytes} bytes leave nothing for a picture: give more.")
    return bits // 8


_encoder = cache(lambda codec, device: create_encoder(codec, device=device))


@cache
def _reader(name: str, path: Path, device: str) -> Reader | None:
    if name == NONE:
        return None
    if name == PERCEPTION:
        see = perceive.Perception.from_pretrained(device=device)
        return lambda image: see([image])[0].segmentation
    network = networks.load(name, path, device)

    @torch.inference_mode()
    def read(image: np.ndarray) -> np.ndarray:
        logits = network(to_input(image[np.newaxis], torch.float32, device))
        return logits.argmax(1)[0].to(torch.uint8).cpu().numpy()

    return read


class _Chain(StudyCodec):
    """most: bytes of the part of bits."""

    def __init__(self, encoder: Encoder, codec: str, most: int, reader: Reader | None) -> None:
        super().__init__()
        self.encoder, self.decoder, self.reader = encoder, create_decoder(codec), reader
        self.allowed = parts_bytes([Part(PART, 0, bits=bytes(most))])

    def encode(self, frame: Frame, request: Request) -> Sequence[Part]:
        return self.encoder.encode(frame, replace(request, budget_bytes=self.allowed))

    def labels(self, payload: Payload) -> Reconstruction:
        image = self.decoder.picture(payload)
        return Reconstruction(image=image, labels=self.reader(image) if self.reader else None)

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        return known.image
