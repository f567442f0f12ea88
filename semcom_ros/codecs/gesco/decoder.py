# SPDX-License-Identifier: Apache-2.0
"""GESCO at the roadside: the map first, for planners, then the image regenerated from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from semcom_ros.codecs.gesco import appearance
from semcom_ros.codecs.gesco.diffusion import FILE, ImageDiffusion
from semcom_ros.codecs.gesco.grids import decode_map, fit_to
from semcom_ros.codecs.gesco.shared import APPEARANCE_PART, MAP_PART, NAME, VERSION, Shared
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import CLASSES, LABEL_SPACE, VOID
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

WARM_UPS = 3
"""Passes until a network runs at its speed: memory is touched, kernels are chosen."""


class Decoder:
    """Payloads in; labels with their confidence, then the image, out."""

    gives_labels = True

    def __init__(self, device: str = "cpu", models: Path | None = None):
        models = models or models_dir()
        self.shared = Shared.load(models)
        self.diffusion = ImageDiffusion(models / FILE, device)

    def warm_up(self) -> None:
        """Compile and touch everything, so that the first frame takes no longer than others."""
        # Nothing but noise takes a coarse grid, as streets do: an empty map fits on the finest and
        # would leave out what brings a grid back to size.
        street = np.random.default_rng(0).integers(0, len(CLASSES), WORK_SIZE, np.uint8)
        code = fit_to(street, MAX_PAYLOAD_BYTES, self.shared.prior)
        for _ in range(WARM_UPS):
            decode_map(code, WORK_SIZE, self.shared.prior)
            evidence = self.diffusion.evidence.of_labels(street)
            self.diffusion(evidence, appearance.typical(self.shared.statistics))

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield the reconstruction with labels, then the same with the image.

        Raises PayloadError: codec, version, model, lost (no map), malformed.
        """
        header = payload.header
        header.expect(NAME, VERSION, self.shared.model)
        if header.label_space != LABEL_SPACE:
            raise PayloadError(
                "model",
                f"The payload's map is in the label space '{header.label_space}', "
                f"the decoder speaks '{LABEL_SPACE}'.",
            )
        if (header.height, header.width) != WORK_SIZE:
            raise PayloadError(
                "malformed",
                f"The payload's frame has {header.width}x{header.height} pixels; "
                f"GESCO works at {WORK_SIZE[1]}x{WORK_SIZE[0]}.",
            )
        try:
            labels, confidence = decode_map(payload.bits(MAP_PART), WORK_SIZE, self.shared.prior)
        except PayloadError:
            raise
        except SemcomError as error:
            raise PayloadError("malformed", str(error)) from None
        known = Reconstruction(labels=labels, confidence=confidence, support=labels != VOID)
        yield known
        evidence = self.diffusion.evidence.of_labels(labels)
        yield replace(known, image=self.diffusion(evidence, self._thumbnail(payload)))

    def _thumbnail(self, payload: Payload) -> np.ndarray:
        """The received colours, or a typical street's where they were lost: the map still holds."""
        part = payload.part(APPEARANCE_PART)
        if part.bits is None:
            return appearance.typical(self.shared.statistics)
        return appearance.decode(part.bits, self.shared.statistics)
