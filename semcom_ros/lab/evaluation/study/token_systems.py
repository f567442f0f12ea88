# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN with any share of the latent vectors of map and image, as its paper's figures have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from semcom_ros import weights as files
from semcom_ros.codecs.base import Received, Request
from semcom_ros.codecs.sqgan import FAST, PAPER, shared, token_coder
from semcom_ros.codecs.sqgan.inference import (
    ImageReceiver,
    ImageTransmitter,
    MapReceiver,
    MapTransmitter,
)
from semcom_ros.codecs.sqgan.masking import SCORES, keep
from semcom_ros.codecs.sqgan.network_choice import NETWORKS
from semcom_ros.codecs.sqgan.pipeline import MASKS, make
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN
from semcom_ros.coding import map_coder
from semcom_ros.coding.grids import GRIDS, decode_cells, pool, upsample
from semcom_ros.errors import SemcomError, choose, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System, weights_of
from semcom_ros.payload import Part, Payload
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

FIRST_PART = shared.IMAGE_LAYERS[0] / sum(shared.IMAGE_LAYERS)
"""Share of the image's vectors that a payload's first image part holds."""
AS_TRAINED = "as_trained"
_IMAGE = shared.IMAGE_PARTS[0]
_UNBOUNDED = 1 << 20
"""Bytes: the share of the vectors alone says how many are sent."""


def sqgan_tokens(
    image_kept: float = FIRST_PART, map_kept: float = 0.0, mask: str = AS_TRAINED,
    score: str = AS_TRAINED, weights: str = "", network: str = FAST, device: str = "cpu",
) -> System:  # fmt: skip
    """SQ-GAN that sends these shares of the 512 vectors of image and map, m_x and m_s in the paper.

    map_kept: 0 sends the map itself, losslessly coded. network: as the codec's setting. weights: an
    image pipeline of `semcom train sqgan` in place of the one that ships. mask, score: which
    vectors are kept and what SAMM reads, if not as it was trained; with the paper's networks the
    mask alone can be another. Raises SemcomError.
    """
    for name, value, lowest in (("image_kept", image_kept, 0.002), ("map_kept", map_kept, 0)):
        if not lowest <= value <= 1:
            raise SemcomError(f"{name} is {value}: it must lie between {lowest} and 1.")
    choose(mask, (AS_TRAINED, *MASKS), "mask")
    choose(score, (AS_TRAINED, *SCORES), "score")
    if choose(network, NETWORKS, "network") == PAPER and (weights or score != AS_TRAINED):
        raise SemcomError(
            "weights and score are of the networks that ship: leave them out beside network: paper."
        )
    ends = _image_ends(weights, score, network, device)
    codec = _Tokens(image_kept, map_kept, ends, mask, network, device)
    models = (
        *weights_of("sqgan"),
        *weights_of("gesco"),
        *([files.Path(weights)] if weights else ()),
    )
    return codec.system("sqgan", None, links=frozenset({"none"}), models=models)


@cache
def _image_ends(
    path: str, score: str, network: str, device: str
) -> tuple[ImageTransmitter, ImageReceiver, str]:
    """Both ends of an image pipeline, and the mask that it was trained with."""
    if path:
        place = Path(path)
        tensors, card = files.load(place, "semcom train sqgan --camvid DIR --stage image")
        classes = files.classes_of(card, place)
        pipeline = make("image", classes, card, place)
        files.fill(pipeline, tensors, place)
        made: tuple[Any, ...] = (pipeline.quantiser.codebook, classes, device)
        transmitter = ImageTransmitter(pipeline.transmitter, *made)
        receiver, mask = ImageReceiver(pipeline.receiver, *made), card["mask"]
        score = card["score"] if score == AS_TRAINED else score
    else:
        chosen = NETWORKS[network]
        own = (models_dir(), device, chosen.load_shared(models_dir()))
        transmitter = chosen.transmitters[1].from_pretrained(*own)
        receiver, mask = chosen.receivers[1].from_pretrained(*own), MASKS[0]
    if score != AS_TRAINED:
        transmitter.network.samm.conditioned = score == SCORES[0]
    return transmitter, receiver, mask


@cache
def _map_ends(network: str, device: str) -> tuple[MapTransmitter, MapReceiver, shared.SqganShared]:
    chosen = NETWORKS[network]
    held = chosen.load_shared(models_dir())
    own = (models_dir(), device, held)
    sender, reader = chosen.transmitters[0], chosen.receivers[0]
    return sender.from_pretrained(*own), reader.from_pretrained(*own), held


class _Tokens(StudyCodec):
    """One part for the map, and one for the vectors of the image that are kept."""

    sends_labels = True

    def __init__(
        self, image_kept: float, map_kept: float,
        image_ends: tuple[ImageTransmitter, ImageReceiver, str], mask: str, network: str,
        device: str,
    ) -> None:  # fmt: skip
        super().__init__(device=device)
        self.image_kept, self.map_kept = image_kept, map_kept
        self.transmitter, self.receiver, trained = image_ends
        self.at_random = (trained if mask == AS_TRAINED else mask) != MASKS[0]
        self.map_transmitter, self.map_receiver, self.shared = _map_ends(network, device)

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        labels = given(frame.labels)
        if self.map_kept:
            (indices,), (scores,) = self.map_transmitter([labels])
            code = self._coded("map", self.map_kept, scores, indices, _unknown())
            part, classes = Part(shared.MAP_TOKENS_PART, 0, code), _unknown()
        else:
            code = bytes([0]) + map_coder.encode(pool(labels, GRIDS[0]), self.shared.labels)
            part, classes = Part(shared.LABELS_PART, 0, code), pool(labels, shared.LATENT_GRID)
        (indices,), (scores,) = self.transmitter(frame.image[np.newaxis], [labels])
        if self.at_random:
            seed = np.random.default_rng(int(frame.image.sum()))
            scores = seed.random(scores.shape, np.float32)
        code = self._coded("image", self.image_kept, scores, indices, classes)
        return part, Part(_IMAGE, 1, code)

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """Vectors of map and image that are sent, where the map is tokens."""
        shares = (self.map_kept, self.image_kept)
        return {"kept": tuple(_layers(share)[0] for share in shares)} if self.map_kept else {}

    def labels(self, payload: Payload) -> Reconstruction:
        """The map, and the pixels of the vectors that were sent as its support."""
        if self.map_kept:
            kept, indices = self._decoded("map", self.map_kept, payload.parts[0], _unknown())
            labels = self.map_receiver([indices], [kept])[0][0]
        else:
            cells = decode_cells(payload.bits(shared.LABELS_PART), self.shared.labels)
            labels = upsample(cells, WORK_SIZE)[0]
        kept, _ = self._image_tokens(payload, labels)
        support = np.kron(kept, np.ones((shared.STRIDE, shared.STRIDE), bool))
        return Reconstruction(labels=labels, support=support)

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        labels = given(known.labels)
        kept, indices = self._image_tokens(received.payload, labels)
        return self.receiver([indices], [kept], [labels])[0]

    def _image_tokens(self, payload: Payload, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = _unknown() if self.map_kept else pool(labels, shared.LATENT_GRID)
        return self._decoded("image", self.image_kept, payload.parts[1], classes)

    def _coded(
        self, kind: str, share: float, scores: np.ndarray, indices: np.ndarray, classes: np.ndarray
    ) -> bytes:
        """Positions and indices of the share with the highest scores."""
        prior = self.shared.tokens[kind]
        layers = _layers(share)
        return token_coder.encode(scores, indices, classes, layers, _UNBOUNDED, 0, prior)[0]

    def _decoded(
        self, kind: str, share: float, part: Part, classes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        prior = self.shared.tokens[kind]
        return token_coder.decode([given(part.bits)], classes, _layers(share), prior)


def _unknown() -> np.ndarray:
    return np.full(shared.LATENT_GRID, UNKNOWN, np.uint8)


def _layers(share: float) -> Sequence[int]:
    """Vectors that are sent, as `keep` counts them, and those that are not."""
    cells = torch.zeros(1, 1, *shared.LATENT_GRID)
    sent = int(keep(cells, torch.tensor([share])).sum())
    return (sent, cells.numel() - sent) if sent < cells.numel() else (sent,)
