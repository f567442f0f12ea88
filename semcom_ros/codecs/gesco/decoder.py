# SPDX-License-Identifier: Apache-2.0
"""GESCO at the roadside: the map first, for planners, then the image regenerated from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.asked_classes import MapEnd, names_classes, sureness
from semcom_ros.codecs.base import Received
from semcom_ros.codecs.batches import attempt, on_good
from semcom_ros.codecs.gesco import GescoSettings, picture, planes, shared
from semcom_ros.codecs.gesco.fast_denoising import denoise, reliability
from semcom_ros.codecs.gesco.picture import (
    NO_PICTURE,
    Picture,
    PictureDecoder,
    colours_of,
    sharpness,
)
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import decode_map, fit_to, upsample
from semcom_ros.errors import given
from semcom_ros.frame import WORK_SIZE
from semcom_ros.labels import CLASSES, VOID
from semcom_ros.layers.class_shares import ClassShares
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction

if TYPE_CHECKING:
    from semcom_ros.codecs.gesco.diffusion import ImageDiffusion
    from semcom_ros.codecs.gesco.paper.generator import PaperDiffusion
    from semcom_ros.codecs.gesco.restorer import Restorer

WARM_UPS = 3
"""Passes until a network runs at its speed: memory is touched, kernels are chosen."""
RECEIVED = 128
"""Confidence from which a pixel of noisy planes counts as received: rather right than wrong."""


@dataclass(frozen=True)
class ReceivedMap(Reconstruction):
    """A map, and what its image is made with.

    posteriors: float32 [20, h, w] of the classes, void last, where it came as noisy planes.
    picture: what came, or stands in for what was lost, of a video.
    """

    posteriors: np.ndarray | None = None
    picture: Picture | None = None


class Decoder(MapEnd):
    """Payloads in; labels with their confidence, then the image, out.

    network: in place of those of a file, anything that paints as `ImageDiffusion` does or, where
    the setting is `network: paper`, as `PaperDiffusion`.
    """

    defaults = GescoSettings

    def __init__(self, network: Any = None, **end: Any) -> None:
        super().__init__(**end)
        self.shared = shared.GescoShared.load(self.models)
        self.model = self.shared.model
        self.network = network
        # Bad weights are told here.
        if self.settings.network == "paper":
            _ = self.paper
        elif network is None:
            weights.load(self.models / shared.RESTORER_FILE, shared.RESTORER_RECIPE)
            weights.load(self.models / shared.DIFFUSION_FILE, shared.DIFFUSION_RECIPE)

    # Each is made when first asked for: torch takes seconds to import, and maps never need it.
    @cached_property
    def restorer(self) -> Restorer:
        """That of `generator: restorer`."""
        from semcom_ros.codecs.gesco.restorer import Restorer

        return Restorer.from_pretrained(self.models, self.device)

    @cached_property
    def diffusion(self) -> ImageDiffusion:
        """That of `generator: diffusion`, or the network in its place."""
        from semcom_ros.codecs.gesco.diffusion import ImageDiffusion

        return self.network or ImageDiffusion.from_pretrained(self.models, self.device)

    @cached_property
    def paper(self) -> PaperDiffusion:
        """That of `network: paper`."""
        from semcom_ros.codecs.gesco.paper.generator import PaperDiffusion

        path = self.models / shared.PAPER_FILE
        return self.network or PaperDiffusion.from_pretrained(path, self.device)

    def warm_up(self) -> None:
        """Compile and touch everything, so that the first frame takes no longer than others."""
        if self.settings.picture == "video":
            picture.warm_up()
        # Nothing but noise takes a coarse grid, as streets do: an empty map fits on the finest and
        # would leave out what brings a grid back to size.
        street = np.random.default_rng(0).integers(0, len(CLASSES), WORK_SIZE, np.uint8)
        code = fit_to(street, MAX_PAYLOAD_BYTES, self.shared.prior)
        for _ in range(WARM_UPS):
            decode_map(code, WORK_SIZE, self.shared.prior)
            if self.settings.network == "fast":
                self._paint([ReceivedMap(labels=street)], [None], [0])
        if self.settings.network == "paper":
            self.paper([street], steps=2, guidance=strength(self.settings))

    def decode_labels(self, batch: Sequence[Received]) -> list[ReceivedMap | PayloadError]:
        """Map, confidence and support of each; PayloadError lost (no map) or malformed."""
        fds = self.settings.fds
        return [attempt(self._labels, received, fds) for received in batch]

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[ReceivedMap]
    ) -> list[np.ndarray | PayloadError | None]:
        """Images uint8 [256, 512, 3], all in one pass of the network a step; None where the map of
        some classes alone was asked for."""
        pairs = [(received.payload, one) for received, one in zip(batch, known, strict=True)]
        asked = [None if names_classes(pair[0].header.task) else pair for pair in pairs]
        return on_good(asked, self._images)

    def _images(self, asked: list[tuple[Payload, ReceivedMap]]) -> list[np.ndarray]:
        payloads, known = zip(*asked, strict=True)
        parts = [{part.name: part.bits for part in payload.parts} for payload in payloads]
        colours = [bits.get(shared.THUMBNAIL_PART) for bits in parts]
        return self._paint(known, colours, [payload.header.sequence for payload in payloads])

    def _labels(self, received: Received, fds: str) -> ReceivedMap:
        payload = received.payload
        if any(part.name == shared.PLANES_PART for part in payload.parts):
            classes, part = payload.bits(shared.CLASSES_PART), payload.part(shared.PLANES_PART)
            found = self._from_planes(planes.decode(classes, part), fds)
        else:
            code = payload.bits(shared.MAP_PART)
            labels, certainty = decode_map(code, WORK_SIZE, self.shared.prior)
            found = ReceivedMap(labels=labels, confidence=certainty, support=labels != VOID)
        task = payload.header.task
        sure = sureness(given(found.labels), given(found.confidence), task)
        shown = None if names_classes(task) else self._picture(received)
        return replace(found, confidence=sure, picture=shown)

    def _picture(self, received: Received) -> Picture | None:
        """A video's pictures are decoded with the map: the next may lean on any of them."""
        header, memory = received.payload.header, received.memory
        sent = [part for part in received.payload.parts if part.name == shared.PICTURE_PART]
        if memory.state is None:
            if not sent:
                return None
            memory.state = PictureDecoder()
        found = memory.state.decode(sent[0].bits if sent else b"", header.sequence)
        memory.lacking = memory.state.lacking
        return found

    def _from_planes(self, received: planes.ReceivedPlanes, fds: str) -> ReceivedMap:
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
        return ReceivedMap(None, labels, confidence, support, posteriors)

    def denoised(self, received: planes.ReceivedPlanes, fds: str) -> np.ndarray:
        """Planes float32 [20, h, w] after fast denoising, void last."""
        # The published one has no use for what the link knows of the noise.
        variance = received.noise_variance if fds == "auto" else None
        n = planes.VOID_PLANE + 1
        return denoise(received.planes, received.present, n, fds, variance)

    def _paint(
        self,
        known: Sequence[ReceivedMap],
        colours: Sequence[bytes | None],
        sequences: Sequence[int],
    ) -> list[np.ndarray]:
        """Images of maps; where no picture came, a typical street's colours stand in.

        colours: thumbnails. sequences: seeds of noise that is fresh.
        """
        settings, statistics = self.settings, self.shared.statistics
        seeds = None if settings.noise == "same" else sequences
        if settings.network == "paper":
            maps = [
                given(one.labels if one.posteriors is None else one.posteriors) for one in known
            ]
            return self.paper(
                maps, settings.paper_steps, settings.sampler, strength(settings), seeds
            )
        pictures = []
        for one, code in zip(known, colours, strict=True):
            if one.picture is not None:
                pictures.append(one.picture)
            elif code is not None:
                pixels = thumbnail.decode(code, statistics)
                pictures.append(Picture(pixels, sharpness(pixels.shape[1])))
            else:
                pictures.append(Picture(thumbnail.typical(statistics), NO_PICTURE))
        if self.network is None and settings.generator == "restorer":
            shares = [self._class_shares(one, self.restorer.class_shares) for one in known]
            return self.restorer(shares, pictures)
        return self.diffusion(
            [self._class_shares(one, self.diffusion.class_shares) for one in known],
            [colours_of(picture) for picture in pictures],
            settings.steps,
            from_picture=[picture.sharpness > NO_PICTURE for picture in pictures],
            guidance=strength(settings),
            seeds=seeds,
        )

    def _class_shares(self, known: ReceivedMap, shares: ClassShares) -> np.ndarray:
        if known.posteriors is not None:
            return shares.of_planes(known.posteriors[: len(CLASSES)], WORK_SIZE)
        return shares.of_labels(given(known.labels))


def strength(settings: GescoSettings) -> float:
    """The paper's s of what is set: the released code's is 1 more, and up to 1 has no effect."""
    released = settings.guidance_rule == "released"
    return max(settings.guidance - 1, 0.0) if released else settings.guidance
