# SPDX-License-Identifier: Apache-2.0
"""GESCO at the vehicle: the label map, coded or as planes, and a thumbnail's colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.codecs.base import Request
from semcom_ros.codecs.gesco import GescoSettings, planes
from semcom_ros.codecs.gesco.shared import (
    CLASSES_PART,
    MAP_PART,
    PLANES_PART,
    THUMBNAIL_PART,
    GescoShared,
)
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import fit_to
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.payload import MAX_PAYLOAD_BYTES, PART_OVERHEAD, Part
from semcom_ros.weights import models_dir

THUMBNAIL_SHARE = 8
"""One byte in so many is kept for the thumbnail, whatever the map would take."""
THUMBNAIL_MOST = 64
"""Bytes of thumbnail beyond which the map gains more."""


class Encoder:
    """Frames with labels in, parts out.

    planes_rows: 256, 128 or 64, of the grid that planes are sent on; those of 256 rows with many
    classes pass the wire format's bounds. Raises SemcomError for another number.
    """

    def __init__(
        self,
        settings: GescoSettings | None = None,
        device: str = "cpu",
        models: Path | None = None,
        planes_rows: int = 128,
    ):
        if planes_rows not in planes.ROWS:
            rows = ", ".join(map(str, planes.ROWS))
            raise SemcomError(f"Planes are sent on {rows} rows, not on {planes_rows}.")
        self.planes_rows = planes_rows
        self.settings = settings or GescoSettings()
        self.shared = GescoShared.load(models or models_dir())
        self.model = self.shared.model

    def warm_up(self) -> None:
        """Compile the map coder."""
        street = Frame(np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8))
        self.encode(street, Request.of_bytes(MAX_PAYLOAD_BYTES))

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The parts of `frame` (labels at the size of work).

        A coded map keeps to the budget; planes take the symbols that they take. Raises SemcomError
        when not even the coarsest grid fits or the frame has no labels.
        """
        if frame.labels is None:
            raise SemcomError("GESCO sends a label map and this frame has none: segment it first.")
        settings = self.settings
        if settings.map == "planes":
            return self._planes(frame.image, frame.labels, settings.thumbnail)
        return self._coded(frame.image, frame.labels, request, settings.thumbnail)

    def _planes(
        self, image: np.ndarray, labels: np.ndarray, with_thumbnail: bool
    ) -> tuple[Part, ...]:
        classes, symbols = planes.encode(labels, self.planes_rows)
        parts = (Part(CLASSES_PART, 0, classes), Part(PLANES_PART, 1, symbols=symbols))
        if not with_thumbnail:
            return parts
        return (*parts, self._colours(image, THUMBNAIL_MOST, 2))

    def _coded(
        self, image: np.ndarray, labels: np.ndarray, request: Request, with_thumbnail: bool
    ) -> tuple[Part, ...]:
        left = request.budget_bytes - PART_OVERHEAD * (1 + with_thumbnail)
        reserved = min(left // THUMBNAIL_SHARE, THUMBNAIL_MOST) if with_thumbnail else 0
        code = fit_to(labels, left - reserved, self.shared.prior)
        if not with_thumbnail:
            return (Part(MAP_PART, 0, code),)
        colours = self._colours(image, min(left - len(code), THUMBNAIL_MOST), 1)
        return Part(MAP_PART, 0, code), colours

    def _colours(self, image: np.ndarray, n_bytes: int, importance: int) -> Part:
        code = thumbnail.encode(image, n_bytes, self.shared.statistics)
        return Part(THUMBNAIL_PART, importance, code)
