# SPDX-License-Identifier: Apache-2.0
"""GESCO at the vehicle: the label map on the finest grid that fits, and a thumbnail's colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.codecs.gesco import appearance
from semcom_ros.codecs.gesco.grids import fit_to
from semcom_ros.codecs.gesco.shared import APPEARANCE_PART, MAP_PART, NAME, VERSION, Shared
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import MAX_PAYLOAD_BYTES, Header, Part, Payload, pack
from semcom_ros.weights import models_dir

APPEARANCE_SHARE = 8
"""One byte in so many is kept for the appearance, whatever the map would take."""
APPEARANCE_MOST = 64
"""Bytes of appearance beyond which the map gains more."""


class Encoder:
    """Frames with labels in, payloads of at most the bytes asked for out."""

    uses_labels = True

    def __init__(self, models: Path | None = None):
        self.shared = Shared.load(models or models_dir())

    def warm_up(self) -> None:
        """Compile the map coder."""
        street = Frame(np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8))
        self.encode(street, MAX_PAYLOAD_BYTES, 0)

    def encode(self, frame: Frame, payload_bytes: int, sequence: int) -> Payload:
        """The payload of `frame` (labels at the size of work), packed <= `payload_bytes` bytes.

        Raises SemcomError when not even the coarsest grid fits or the frame has no labels.
        """
        if frame.labels is None:
            raise SemcomError("GESCO sends a label map and this frame has none: segment it first.")
        height, width = frame.labels.shape
        header = Header(
            NAME, VERSION, self.shared.model, height, width, LABEL_SPACE, sequence, frame.stamp
        )

        def payload(labels: bytes, colours: bytes) -> Payload:
            return Payload(header, (Part(MAP_PART, 0, labels), Part(APPEARANCE_PART, 1, colours)))

        reserved = min(payload_bytes // APPEARANCE_SHARE, APPEARANCE_MOST)
        overhead = len(pack(payload(bytes(payload_bytes), bytes(reserved)))) - (
            payload_bytes + reserved
        )
        budget = payload_bytes - overhead - reserved
        labels = fit_to(frame.labels, budget, self.shared.prior)
        left = payload_bytes - overhead - len(labels)
        colours = appearance.encode(frame.image, min(left, APPEARANCE_MOST), self.shared.statistics)
        return payload(labels, colours)
