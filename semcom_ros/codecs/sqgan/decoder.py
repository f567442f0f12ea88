# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the roadside: the map first, for planners, then the image in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
    STRIDE,
    VERSION,
    Shared,
)
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN
from semcom_ros.coding.grids import decode_cells, pool, upsample
from semcom_ros.coding.map_header import check_header
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import VOID
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

WARM_UPS = 3


class Decoder:
    """Payloads in; labels with their confidence, then the image, out.

    Image parts that were lost, or never sent, are cells that the de-masking module fills in.
    """

    gives_labels = True

    def __init__(self, device: str = "cpu", models: Path | None = None):
        # Networks come with torch, which takes seconds: only who decodes waits for it.
        from semcom_ros.codecs.sqgan.loading import load_receivers

        models = models or models_dir()
        self.shared = Shared.load(models)
        self.map_receiver, self.image_receiver = load_receivers(models, self.shared, device)

    def warm_up(self) -> None:
        """Compile and touch everything, so that the first frame takes no longer than others."""
        street = np.random.default_rng(0).integers(0, 19, LATENT_GRID, np.uint8)
        kept = np.ones(LATENT_GRID, bool)
        for _ in range(WARM_UPS):
            labels, _ = upsample(street, WORK_SIZE)
            classes = pool(labels, LATENT_GRID)
            decode_cells(bytes(9), self.shared.labels)
            token_coder.decode([bytes(9)], classes, IMAGE_LAYERS, self.shared.tokens["image"])
            self.map_receiver(np.zeros(LATENT_GRID, np.int64), kept)
            self.image_receiver(np.zeros(LATENT_GRID, np.int64), kept, labels)

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield the reconstruction with labels, then the same with the image.

        Raises PayloadError: codec, version, model, lost (no map), malformed.
        """
        check_header(payload.header, NAME, VERSION, self.shared.model, "SQ-GAN")
        try:
            known, classes = self._map(payload)
        except PayloadError:
            raise
        except SemcomError as error:
            raise PayloadError("malformed", str(error)) from None
        yield known
        kept, indices = token_coder.decode(
            _received(payload), classes, IMAGE_LAYERS, self.shared.tokens["image"]
        )
        yield replace(known, image=self.image_receiver(indices, kept, known.labels))

    def _map(self, payload: Payload) -> tuple[Reconstruction, np.ndarray]:
        """Labels, and the class uint8 of every latent cell as the vehicle knows it."""
        if any(part.name == MAP_TOKENS_PART for part in payload.parts):
            classes = np.full(LATENT_GRID, UNKNOWN, np.uint8)
            kept, indices = token_coder.decode(
                [payload.bits(MAP_TOKENS_PART)], classes, MAP_LAYERS, self.shared.tokens["map"]
            )
            labels, confidence = self.map_receiver(indices, kept)
            support = np.kron(kept, np.ones((STRIDE, STRIDE), bool))
            # Where no token came the map is a guess from its surroundings, however sure.
            confidence = np.where(support, confidence, confidence // 2).astype(np.uint8)
            return Reconstruction(None, labels, confidence, support), classes
        cells = decode_cells(payload.bits(LABELS_PART), self.shared.labels)
        labels, confidence = upsample(cells, WORK_SIZE)
        known = Reconstruction(None, labels, confidence, labels != VOID)
        return known, pool(cells, LATENT_GRID)


def _received(payload: Payload) -> list[bytes | None]:
    """The image's parts in their order, None for what did not come; raises PayloadError."""
    held = {part.name for part in payload.parts if not part.erased}
    return [payload.bits(name) if name in held else None for name in IMAGE_PARTS]
