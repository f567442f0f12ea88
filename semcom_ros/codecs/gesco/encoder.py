# SPDX-License-Identifier: Apache-2.0
"""GESCO at the vehicle: the label map, coded or as planes, and a thumbnail's colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.codecs.gesco import planes
from semcom_ros.codecs.gesco.parameters import ENCODER, checked
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
from semcom_ros.coding.grids import fit_to
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.parameter import Value
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Header, Part, Payload, pack
from semcom_ros.weights import models_dir

THUMBNAIL_SHARE = 8
"""One byte in so many is kept for the thumbnail, whatever the map would take."""
THUMBNAIL_MOST = 64
"""Bytes of thumbnail beyond which the map gains more."""


class Encoder:
    """Frames with labels in, payloads out.

    Settings, which `configure` changes, are those of `parameters.ENCODER`. planes_rows: 256, 128 or
    64, of the grid that planes are sent on; those of 256 rows with many classes pass the wire
    format's bounds. Raises SemcomError for a value that is not allowed.
    """

    uses_labels = True

    def __init__(
        self,
        models: Path | None = None,
        gesco_map: str = "coded",
        gesco_thumbnail: bool = True,
        planes_rows: int = 128,
    ):
        if planes_rows not in planes.ROWS:
            rows = ", ".join(map(str, planes.ROWS))
            raise SemcomError(f"Planes are sent on {rows} rows, not on {planes_rows}.")
        self.planes_rows = planes_rows
        self.configure(gesco_map=gesco_map, gesco_thumbnail=gesco_thumbnail)
        self.shared = Shared.load(models or models_dir())

    def configure(self, **settings: Value) -> None:
        """Encode the frames to come in this way; on SemcomError all stays as it was."""
        # Exchanged at once: another thread may be at a frame.
        self.settings = checked(ENCODER, settings)

    def warm_up(self) -> None:
        """Compile the map coder."""
        street = Frame(np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8))
        self.encode(street, MAX_PAYLOAD_BYTES, 0)

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """The payload of `frame` (labels at the size of work).

        With a coded map it packs to at most `payload_bytes`; planes take the symbols that they
        take. Raises SemcomError when not even the coarsest grid fits or the frame has no labels.
        """
        if frame.labels is None:
            raise SemcomError("GESCO sends a label map and this frame has none: segment it first.")
        height, width = frame.labels.shape
        header = Header(
            NAME, VERSION, self.shared.model, height, width, LABEL_SPACE, sequence, frame.stamp
        )
        settings = self.settings
        if settings.gesco_map == "planes":
            return Payload(header, self._planes(frame, settings.gesco_thumbnail))
        return self._coded(frame, header, payload_bytes, settings.gesco_thumbnail)

    def _planes(self, frame: Frame, with_thumbnail: bool) -> tuple[Part, ...]:
        classes, symbols = planes.encode(frame.labels, self.planes_rows)
        parts = (Part(CLASSES_PART, 0, classes), Part(PLANES_PART, 1, symbols=symbols))
        if not with_thumbnail:
            return parts
        return (*parts, self._colours(frame, THUMBNAIL_MOST, 2))

    def _coded(
        self, frame: Frame, header: Header, payload_bytes: int, with_thumbnail: bool
    ) -> Payload:
        def payload(labels: bytes, colours: Part | None) -> Payload:
            return Payload(header, (Part(MAP_PART, 0, labels), *([colours] if colours else [])))

        reserved = 0
        if with_thumbnail:
            reserved = min(payload_bytes // THUMBNAIL_SHARE, THUMBNAIL_MOST)
        blank = Part(THUMBNAIL_PART, 1, bytes(reserved)) if with_thumbnail else None
        overhead = len(pack(payload(bytes(payload_bytes), blank))) - (payload_bytes + reserved)
        labels = fit_to(frame.labels, payload_bytes - overhead - reserved, self.shared.prior)
        left = payload_bytes - overhead - len(labels)
        colours = None
        if with_thumbnail:
            colours = self._colours(frame, min(left, THUMBNAIL_MOST), 1)
        return payload(labels, colours)

    def _colours(self, frame: Frame, n_bytes: int, importance: int) -> Part:
        code = thumbnail.encode(frame.image, n_bytes, self.shared.statistics)
        return Part(THUMBNAIL_PART, importance, code)
