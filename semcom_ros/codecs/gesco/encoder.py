# SPDX-License-Identifier: Apache-2.0
"""GESCO at the vehicle: the label map, coded or as planes, and a picture beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from semcom_ros.codecs.asked_classes import MapEnd, asked_of, names_classes
from semcom_ros.codecs.base import Request
from semcom_ros.codecs.gesco import GescoSettings, planes, shared
from semcom_ros.codecs.gesco.picture import PictureEncoder
from semcom_ros.coding import thumbnail
from semcom_ros.coding.grids import fit_to
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Part

THUMBNAIL_SHARE = 8
"""One byte in so many is kept for the thumbnail, whatever the map would take."""
THUMBNAIL_MOST = 64
"""Bytes of thumbnail beyond which the map gains more."""


class Encoder(MapEnd):
    """Frames with labels in, parts out.

    planes_rows: 256, 128 or 64, of the grid that planes are sent on; those of 256 rows with many
    classes pass the wire format's bounds. Raises SemcomError for another number.
    """

    defaults = GescoSettings

    def __init__(self, planes_rows: int = 128, **end: Any) -> None:
        super().__init__(**end)
        if planes_rows not in planes.ROWS:
            rows = ", ".join(map(str, planes.ROWS))
            raise SemcomError(f"Planes are sent on {rows} rows, not on {planes_rows}.")
        self.planes_rows = planes_rows
        self.shared = shared.GescoShared.load(self.models)
        self.model = self.shared.model
        self._pictures = PictureEncoder()

    def warm_up(self) -> None:
        """Compile the map coder."""
        street = Frame(np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8))
        self.encode(street, Request.of_bytes(MAX_PAYLOAD_BYTES))

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The parts of `frame` (labels at the size of work).

        A coded map keeps to the budget; planes take the symbols that they take. Where some classes
        alone are asked for, the map of these has the whole budget. Raises SemcomError when not even
        the coarsest grid fits or the frame has no labels.
        """
        if frame.labels is None:
            raise SemcomError("GESCO sends a label map and this frame has none: segment it first.")
        settings: GescoSettings = self.settings
        labels, alone = asked_of(frame.labels, request.task), names_classes(request.task)
        planned = settings.picture != "none" and not alone
        left = request.budget_bytes - request.part_overhead * (1 + planned)
        # No picture may lean on one that is not sent.
        pictures, self._pictures = self._pictures, PictureEncoder()
        picture = b""
        if planned and settings.picture == "video":
            picture = pictures.encode(frame, left, request.refresh)
        if settings.map == "planes":
            classes, symbols = planes.encode(labels, self.planes_rows)
            parts = [
                Part(shared.CLASSES_PART, 0, classes),
                Part(shared.PLANES_PART, 1, symbols=symbols),
            ]
            room = THUMBNAIL_MOST
        else:
            kept = min(left // THUMBNAIL_SHARE, THUMBNAIL_MOST) if planned else 0
            try:
                code = fit_to(labels, left - (len(picture) or kept), self.shared.prior)
            except SemcomError:
                if not picture:
                    raise
                picture = b""  # the map comes first
                code = fit_to(labels, left - kept, self.shared.prior)
            parts = [Part(shared.MAP_PART, 0, code)]
            room = min(left - len(code), THUMBNAIL_MOST)
        if picture:
            self._pictures = pictures
            parts.append(Part(shared.PICTURE_PART, len(parts), picture))
        elif planned:
            colours = thumbnail.encode(frame.image, room, self.shared.statistics)
            parts.append(Part(shared.THUMBNAIL_PART, len(parts), colours))
        return tuple(parts)
