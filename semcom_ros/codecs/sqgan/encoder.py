# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the vehicle: the map, then the image's latent vectors, the most relevant first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semcom_ros.codecs.asked_classes import asked_of, names_classes
from semcom_ros.codecs.base import Request
from semcom_ros.codecs.sqgan import shared, token_coder
from semcom_ros.codecs.sqgan.network_choice import Networks, SqganEnd
from semcom_ros.codecs.sqgan.split import HEADER_BYTES, Split
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN
from semcom_ros.coding.grids import GRIDS, fit_to, pool
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Part

WARM_UPS = 3


class Encoder(SqganEnd):
    """Frames with labels in, parts out.

    split: how bytes are shared between map and image, by default as measured.
    """

    def __init__(self, split: Split | None = None, **end: Any) -> None:
        self._given = split
        super().__init__(**end)

    def use(self, networks: Networks, held: shared.SqganShared) -> None:
        of_map, of_image = networks.transmitters
        own = (self.models, self.device, held)
        made = of_map.from_pretrained(*own), of_image.from_pretrained(*own)
        self.split = self._given or networks.split(self.models)
        self.map_transmitter, self.image_transmitter = made

    def warm_up(self) -> None:
        """Compile the coders and run the networks until they have their speed."""
        rng = np.random.default_rng(0)
        street = np.kron(rng.integers(0, 19, (16, 32)), np.ones((16, 16))).astype(np.uint8)
        frame = Frame(rng.integers(0, 255, (*WORK_SIZE, 3), np.uint8), street)
        for _ in range(WARM_UPS):
            self.encode(frame, Request.of_bytes(MAX_PAYLOAD_BYTES))

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The parts of `frame` (labels at the size of work).

        Where some classes alone are asked for, the map of these has the whole budget. Raises
        SemcomError when not even the coarsest map fits or the frame has no labels.
        """
        labels = frame.labels
        if labels is None:
            raise SemcomError("SQ-GAN sends a label map and this frame has none: segment it first.")
        left, overhead = request.budget_bytes, request.part_overhead
        if names_classes(request.task):
            code = fit_to(asked_of(labels, request.task), left - overhead, self.shared.labels)
            return (Part(shared.LABELS_PART, 0, code),)
        kind, map_bytes = self.split.of(left + HEADER_BYTES)
        if kind == shared.MAP_TOKENS_PART:
            code, classes = self._map_tokens(labels, min(map_bytes, left), overhead)
        else:
            code, classes = self._labels(labels, map_bytes, left - overhead)
        left -= len(code) + overhead
        (indices,), (scores,) = self.image_transmitter(frame.image[np.newaxis], [labels])
        prior = self.shared.tokens["image"]
        coded = token_coder.encode(
            scores, indices, classes, shared.IMAGE_LAYERS, left, overhead, prior
        )
        parts = (
            Part(name, importance, bits)
            for importance, (name, bits) in enumerate(
                zip(shared.IMAGE_PARTS, coded, strict=False), 1
            )
        )
        return (Part(kind, 0, code), *parts)

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """For a study: how many vectors of map and image `parts` hold, where the map is tokens."""
        if parts[0].name != shared.MAP_TOKENS_PART:
            return {}
        of_map = self._held("map", parts[:1], shared.MAP_LAYERS)
        return {"kept": (of_map, self._held("image", parts[1:], shared.IMAGE_LAYERS))}

    def _held(self, pipeline: str, parts: Sequence[Part], layers: Sequence[int]) -> int:
        unknown = np.full(shared.LATENT_GRID, UNKNOWN, np.uint8)
        bits, prior = [part.bits for part in parts], self.shared.tokens[pipeline]
        return int(token_coder.decode(bits, unknown, layers, prior)[0].sum())

    def _labels(self, labels: np.ndarray, n_bytes: int, left: int) -> tuple[bytes, np.ndarray]:
        """The coded label map, and what the RSU will know of every latent cell's class."""
        try:
            code = fit_to(labels, min(n_bytes, left), self.shared.labels)
        except SemcomError:
            # A busy street's coarsest grid may pass the map's share, but not the payload.
            code = fit_to(labels, left, self.shared.labels)
        # The code is lossless on its grid: what it holds need not be decoded.
        cells = pool(labels, GRIDS[code[0]])
        return code, pool(cells, shared.LATENT_GRID)

    def _map_tokens(
        self, labels: np.ndarray, n_bytes: int, overhead: int
    ) -> tuple[bytes, np.ndarray]:
        """The map as tokens; the RSU's map is then a network's, no ground to code on."""
        (indices,), (scores,) = self.map_transmitter([labels])
        unknown = np.full(shared.LATENT_GRID, UNKNOWN, np.uint8)
        coded = token_coder.encode(
            scores,
            indices,
            unknown,
            shared.MAP_LAYERS,
            n_bytes,
            overhead,
            self.shared.tokens["map"],
        )
        if not coded:
            raise SemcomError(
                f"The map's tokens do not fit into {n_bytes} bytes: allow a larger payload."
            )
        return coded[0], unknown
