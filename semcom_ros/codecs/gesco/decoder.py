# SPDX-License-Identifier: Apache-2.0
"""GESCO at the roadside: the map first, for planners, then the image regenerated from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from semcom_ros.codecs.gesco import planes
from semcom_ros.codecs.gesco.diffusion import FILE, ImageDiffusion
from semcom_ros.codecs.gesco.fast_denoising import denoise, reliability
from semcom_ros.codecs.gesco.parameters import DECODER, checked
from semcom_ros.codecs.gesco.shared import (
    CLASSES_PART,
    MAP_PART,
    NAME,
    PLANES_PART,
    THUMBNAIL_PART,
    VERSION,
    Shared,
)
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import decode_map, fit_to, upsample
from semcom_ros.coding.map_header import check_header
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import CLASSES, VOID
from semcom_ros.parameter import Value
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

WARM_UPS = 3
"""Passes until a network runs at its speed: memory is touched, kernels are chosen."""
RECEIVED = 128
"""Confidence from which a pixel of noisy planes counts as received: rather right than wrong."""


class Decoder:
    """Payloads in; labels with their confidence, then the image, out.

    Settings, which `configure` changes, are those of `parameters.DECODER`. Raises SemcomError for a
    value that is not allowed.
    """

    gives_labels = True

    def __init__(
        self,
        device: str = "cpu",
        models: Path | None = None,
        gesco_steps: int = 1,
        gesco_guidance: float = 0.0,
        gesco_fds: str = "auto",
        gesco_noise: str = "same",
    ):
        self.configure(
            gesco_steps=gesco_steps,
            gesco_guidance=gesco_guidance,
            gesco_fds=gesco_fds,
            gesco_noise=gesco_noise,
        )
        models = models or models_dir()
        self.shared = Shared.load(models)
        self.diffusion = ImageDiffusion(models / FILE, device)

    def configure(self, **settings: Value) -> None:
        """Decode the frames to come in this way; on SemcomError all stays as it was."""
        # Exchanged at once: another thread may be at a frame, which keeps those it began with.
        self.settings = checked(DECODER, settings)

    def warm_up(self) -> None:
        """Compile and touch everything, so that the first frame takes no longer than others."""
        # Nothing but noise takes a coarse grid, as streets do: an empty map fits on the finest and
        # would leave out what brings a grid back to size.
        street = np.random.default_rng(0).integers(0, len(CLASSES), WORK_SIZE, np.uint8)
        code = fit_to(street, MAX_PAYLOAD_BYTES, self.shared.prior)
        for _ in range(WARM_UPS):
            decode_map(code, WORK_SIZE, self.shared.prior)
            self._regenerate(self.diffusion.class_shares.of_labels(street), None, 0, self.settings)

    def decode(self, payload: Payload) -> Iterator[Reconstruction]:
        """Yield the reconstruction with labels, then the same with the image.

        Raises PayloadError: codec, version, model, lost (no map), malformed.
        """
        settings = self.settings
        check_header(payload.header, NAME, VERSION, self.shared.model, "GESCO")
        colours = next((p.bits for p in payload.parts if p.name == THUMBNAIL_PART), None)
        sequence = payload.header.sequence
        try:
            in_planes = any(part.name == PLANES_PART for part in payload.parts)
            if in_planes:
                received = _planes_of(payload)
            else:
                coded = payload.bits(MAP_PART)
                labels, confidence = decode_map(coded, WORK_SIZE, self.shared.prior)
        except PayloadError:
            raise
        except SemcomError as error:
            raise PayloadError("malformed", str(error)) from None
        if in_planes:
            yield from self.from_planes(received, colours, sequence, settings)
            return
        known = Reconstruction(labels=labels, confidence=confidence, support=labels != VOID)
        yield known
        class_shares = self.diffusion.class_shares.of_labels(labels)
        yield replace(known, image=self._regenerate(class_shares, colours, sequence, settings))

    def from_planes(
        self,
        received: planes.Received,
        colours: bytes | None,
        sequence: int,
        settings: SimpleNamespace,
    ) -> Iterator[Reconstruction]:
        """As `decode`, from planes that were received with noise, and colours, if any came."""
        fds = settings.gesco_fds
        posteriors = self.denoised(received, fds)
        cells = posteriors.argmax(0).astype(np.uint8)
        cells[cells == planes.VOID_PLANE] = VOID
        likely = reliability(received.planes, fds, received.noise_variance)
        n = len(received.present)
        if fds == "auto" and n > 1:
            # What is as likely as anything else was not received.
            likely *= np.clip((posteriors.max(0) - 1 / n) / (1 - 1 / n), 0, 1)
        labels, certainty = upsample(cells, WORK_SIZE)
        likely = cv2.resize(likely, WORK_SIZE[::-1], interpolation=cv2.INTER_LINEAR)
        confidence = np.minimum(certainty, (255 * likely).astype(np.uint8))
        support = (confidence >= RECEIVED) & (labels != VOID)
        known = Reconstruction(labels=labels, confidence=confidence, support=support)
        yield known
        class_shares = self.diffusion.class_shares.of_planes(posteriors[: len(CLASSES)], WORK_SIZE)
        yield replace(known, image=self._regenerate(class_shares, colours, sequence, settings))

    def denoised(self, received: planes.Received, fds: str) -> np.ndarray:
        """Planes float32 [20, h, w] after fast denoising, void last."""
        # The published one has no use for what the link knows of the noise.
        variance = received.noise_variance if fds == "auto" else None
        n = planes.VOID_PLANE + 1
        return denoise(received.planes, received.present, n, fds, variance)

    def _regenerate(
        self,
        class_shares: np.ndarray,
        colours: bytes | None,
        sequence: int,
        settings: SimpleNamespace,
    ) -> np.ndarray:
        # Where the colours did not come, those of a typical street stand in: the map still holds.
        if colours is None:
            coarse = thumbnail.typical(self.shared.statistics)
        else:
            coarse = thumbnail.decode(colours, self.shared.statistics)
        return self.diffusion(
            class_shares,
            coarse,
            settings.gesco_steps,
            from_picture=colours is not None,
            guidance=settings.gesco_guidance,
            seed=None if settings.gesco_noise == "same" else sequence,
        )


def _planes_of(payload: Payload) -> planes.Received:
    part = payload.part(PLANES_PART)
    if part.erased:
        raise PayloadError("lost", f"Part '{PLANES_PART}' was lost on the air.")
    return planes.decode(payload.bits(CLASSES_PART), part)
