# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN at the roadside: the map first, for planners, then the image in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from semcom_ros.codecs.asked_classes import names_classes, sureness
from semcom_ros.codecs.base import Received
from semcom_ros.codecs.batches import attempt, on_good
from semcom_ros.codecs.sqgan import shared, token_coder
from semcom_ros.codecs.sqgan.network_choice import Networks, SqganEnd
from semcom_ros.codecs.sqgan.token_prior import UNKNOWN
from semcom_ros.coding.grids import decode_cells, pool, upsample
from semcom_ros.errors import given
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import VOID
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction

WARM_UPS = 3


@dataclass(frozen=True)
class LatentMap(Reconstruction):
    """A map with the class uint8 [h, w] of every latent cell as the vehicle knows it."""

    classes: np.ndarray = field(kw_only=True)


class Decoder(SqganEnd):
    """Payloads in; labels with their confidence, then the image, out.

    Image parts that were lost, or never sent, are cells that the de-masking module fills in.
    """

    def use(self, networks: Networks, held: shared.SqganShared) -> None:
        of_map, of_image = networks.receivers
        own = (self.models, self.device, held)
        made = of_map.from_pretrained(*own), of_image.from_pretrained(*own)
        self.map_receiver, self.image_receiver = made

    def warm_up(self) -> None:
        """Compile and touch everything, so that the first frame takes no longer than others."""
        street = np.random.default_rng(0).integers(0, 19, shared.LATENT_GRID, np.uint8)
        kept, blank = [np.ones(shared.LATENT_GRID, bool)], [np.zeros(shared.LATENT_GRID, np.int64)]
        for _ in range(WARM_UPS):
            labels, _ = upsample(street, WORK_SIZE)
            classes = pool(labels, shared.LATENT_GRID)
            decode_cells(bytes(9), self.shared.labels)
            token_coder.decode(
                [bytes(9)], classes, shared.IMAGE_LAYERS, self.shared.tokens["image"]
            )
            self.map_receiver(blank, kept)
            self.image_receiver(blank, kept, [labels])

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction | PayloadError]:
        """Map, confidence and support of each; PayloadError lost (no map) or malformed."""
        return [attempt(self._labels, received.payload) for received in batch]

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[LatentMap]
    ) -> list[np.ndarray | None | PayloadError]:
        """Images uint8 [256, 512, 3], all in one pass; None where the map of some classes alone was
        asked for."""
        pairs = [(received.payload, one) for received, one in zip(batch, known, strict=True)]
        tokens = [
            None if names_classes(payload.header.task) else attempt(self._tokens, payload, one)
            for payload, one in pairs
        ]
        return on_good(tokens, lambda good: self.image_receiver(*zip(*good, strict=True)))

    def _tokens(
        self, payload: Payload, known: LatentMap
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices, which of them are kept, and the labels beside them; raises PayloadError."""
        held = {part.name for part in payload.parts if not part.erased}
        parts = [payload.bits(name) if name in held else None for name in shared.IMAGE_PARTS]
        prior = self.shared.tokens["image"]
        kept, indices = token_coder.decode(parts, known.classes, shared.IMAGE_LAYERS, prior)
        return indices, kept, given(known.labels)

    def _labels(self, payload: Payload) -> LatentMap:
        if any(part.name == shared.MAP_TOKENS_PART for part in payload.parts):
            return self._from_tokens(payload.bits(shared.MAP_TOKENS_PART))
        cells = decode_cells(payload.bits(shared.LABELS_PART), self.shared.labels)
        labels, certainty = upsample(cells, WORK_SIZE)
        confidence = sureness(labels, certainty, payload.header.task)
        return LatentMap(
            None, labels, confidence, labels != VOID, classes=pool(cells, shared.LATENT_GRID)
        )

    def _from_tokens(self, bits: bytes) -> LatentMap:
        classes = np.full(shared.LATENT_GRID, UNKNOWN, np.uint8)
        kept, indices = token_coder.decode(
            [bits], classes, shared.MAP_LAYERS, self.shared.tokens["map"]
        )
        (labels,), (confidence,) = self.map_receiver([indices], [kept])
        support = np.kron(kept, np.ones((shared.STRIDE, shared.STRIDE), bool))
        # Where no token came the map is a guess from its surroundings, however sure.
        confidence = np.where(support, confidence, confidence // 2).astype(np.uint8)
        return LatentMap(None, labels, confidence, support, classes=classes)
