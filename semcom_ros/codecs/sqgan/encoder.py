# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the vehicle: the map, then the image's latent vectors, the most relevant first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.codecs.sqgan import token_coder
from semcom_ros.codecs.sqgan.shared import (
    IMAGE_LAYERS,
    IMAGE_PARTS,
    LABELS_PART,
    LATENT_GRID,
    MAP_LAYERS,
    MAP_TOKENS_PART,
    NAME,
    VERSION,
    Shared,
)
from semcom_ros.codecs.sqgan.split import Split, read
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN
from semcom_ros.coding.grids import GRIDS, fit_to, pool
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Header, Part, Payload, pack
from semcom_ros.weights import models_dir

PART_OVERHEAD = 10
"""Bytes that a part takes besides its own: four fields of the header, and its CRC-32."""
WARM_UPS = 3


class Encoder:
    """Frames with labels in, payloads out.

    split: how bytes are shared between map and image, by default as measured.
    """

    uses_labels = True

    def __init__(self, models: Path | None = None, device: str = "cpu", split: Split | None = None):
        # Networks come with torch, which takes seconds: only who encodes waits for it.
        from semcom_ros.codecs.sqgan.loading import load_senders

        models = models or models_dir()
        self.shared = Shared.load(models)
        self.map_sender, self.image_sender, card = load_senders(models, self.shared, device)
        self.split = split or read(card)

    def warm_up(self) -> None:
        """Compile the coders and run the networks until they have their speed."""
        rng = np.random.default_rng(0)
        street = np.kron(rng.integers(0, 19, (16, 32)), np.ones((16, 16))).astype(np.uint8)
        frame = Frame(rng.integers(0, 255, (*WORK_SIZE, 3), np.uint8), street)
        for _ in range(WARM_UPS):
            self.encode(frame, MAX_PAYLOAD_BYTES, 0)

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """The payload of `frame` (labels at the size of work), packed at most `payload_bytes`.

        Raises SemcomError when not even the coarsest map fits or the frame has no labels.
        """
        if frame.labels is None:
            raise SemcomError("SQ-GAN sends a label map and this frame has none: segment it first.")
        height, width = frame.labels.shape
        header = Header(
            NAME, VERSION, self.shared.model, height, width, LABEL_SPACE, sequence, frame.stamp
        )
        blank = (Part(LABELS_PART, 0, bytes(256)), Part(IMAGE_PARTS[0], 1, bytes(256)))
        left = payload_bytes - len(pack(Payload(header, blank))) + 2 * (256 + PART_OVERHEAD)
        kind, map_bytes = self.split.of(payload_bytes)
        if kind == MAP_TOKENS_PART:
            part, classes = self._map_tokens(frame, min(map_bytes, left))
        else:
            part, classes = self._labels(frame, map_bytes, left)
        left -= len(part.bits) + PART_OVERHEAD
        indices, scores = self.image_sender(frame.image, frame.labels)
        coded = token_coder.encode(
            scores, indices, classes, IMAGE_LAYERS, left, PART_OVERHEAD, self.shared.tokens["image"]
        )
        parts = (
            Part(name, importance, bits)
            for importance, (name, bits) in enumerate(zip(IMAGE_PARTS, coded, strict=False), 1)
        )
        return Payload(header, (part, *parts))

    def _labels(self, frame: Frame, n_bytes: int, left: int) -> tuple[Part, np.ndarray]:
        """The coded label map, and what the RSU will know of every latent cell's class."""
        left -= PART_OVERHEAD
        try:
            code = fit_to(frame.labels, min(n_bytes, left), self.shared.labels)
        except SemcomError:
            # A busy street's coarsest grid may pass the map's share, but not the payload.
            code = fit_to(frame.labels, left, self.shared.labels)
        # The code is lossless on its grid: what it holds need not be decoded.
        cells = pool(frame.labels, GRIDS[code[0]])
        return Part(LABELS_PART, 0, code), pool(cells, LATENT_GRID)

    def _map_tokens(self, frame: Frame, n_bytes: int) -> tuple[Part, np.ndarray]:
        """The map as tokens; the RSU's map is then a network's, no ground to code on."""
        indices, scores = self.map_sender(frame.labels)
        unknown = np.full(LATENT_GRID, UNKNOWN, np.uint8)
        coded = token_coder.encode(
            scores, indices, unknown, MAP_LAYERS, n_bytes, PART_OVERHEAD, self.shared.tokens["map"]
        )
        if not coded:
            raise SemcomError(
                f"The map's tokens do not fit into {n_bytes} bytes: allow a larger payload."
            )
        return Part(MAP_TOKENS_PART, 0, coded[0]), unknown
