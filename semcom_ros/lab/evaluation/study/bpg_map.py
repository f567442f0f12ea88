# SPDX-License-Identifier: Apache-2.0
"""A map as GESCO's paper stores it: one-hot planes, each a grey picture that BPG codes with loss.

BPG is HEVC intra: x265 codes each plane, without parameter sets, as codec `hevc` does. The paper
counts .005 bits a pixel for a map in BPG's strongest setting, quantiser 51.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from semcom_ros.codecs.base import BudgetError, Received, Request
from semcom_ros.codecs.gesco.planes import VOID_PLANE
from semcom_ros.codecs.gesco.shared import CLASSES_PART, MAP_PART
from semcom_ros.codecs.image import header
from semcom_ros.codecs.image.hevc import CODER
from semcom_ros.codecs.image.rate_control import largest
from semcom_ros.coding import grids
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System
from semcom_ros.labels import VOID, colorize
from semcom_ros.parameter import Parameter
from semcom_ros.payload import Part, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction

QUANTISER = Parameter("quantiser", 51, "HEVC's, of every plane; the most is the coarsest.", 10, 51)
_LENGTH_BYTES = 2


def bpg_map(
    quantiser: int = QUANTISER.default, rows: int = 256, payload_bytes: int | None = None
) -> System:
    """The vehicle's map by BPG, on a grid of `rows` rows, one of `grids.GRIDS`.

    payload_bytes: instead of the quantiser, the finest whose payload fits. Every pixel is of the
    class whose plane is brightest; what the RSU shows is the map in its classes' colours. Raises
    SemcomError.
    """
    known = {height: (height, width) for height, width in grids.GRIDS}
    if rows not in known:
        told = ", ".join(map(str, known))
        raise SemcomError(f"A label map has no grid of {rows} rows; there are {told}.")
    chosen = None if payload_bytes else int(QUANTISER.check(quantiser))
    codec = _BpgMap(known[rows], chosen)
    return codec.system("bpg map", payload_bytes or chosen, name="bpg", budget=payload_bytes)


class _BpgMap(StudyCodec):
    """quantiser: None for the finest that fits the budget."""

    sends_labels = True

    def __init__(self, grid: tuple[int, int], quantiser: int | None) -> None:
        super().__init__()
        self._grid, self._quantiser = grid, quantiser

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """Raises BudgetError where the coarsest does not fit."""
        cells = grids.pool(given(frame.labels), self._grid)
        cells = np.where(cells == VOID, VOID_PLANE, cells)
        if self._quantiser is not None:
            return _coded(cells, self._quantiser)
        tried: dict[int, tuple[Part, ...]] = {}
        low, coarsest = int(given(QUANTISER.minimum)), QUANTISER.default

        def fits(place: int) -> bool:
            tried[place] = _coded(cells, coarsest - place)
            return request.bytes_of(tried[place]) <= request.budget_bytes

        place = largest(coarsest - low + 1, fits, 0)
        if place is None:
            raise BudgetError(request.bytes_of(tried[0]))
        return tried[place]

    def labels(self, payload: Payload) -> Reconstruction:
        flags = int.from_bytes(payload.bits(CLASSES_PART), "big")
        present = [c for c in range(VOID_PLANE + 1) if flags >> c & 1]
        bits, planes, told = payload.bits(MAP_PART), [], header(CODER, *self._grid)
        for _ in present:
            end = _LENGTH_BYTES + int.from_bytes(bits[:_LENGTH_BYTES], "big")
            plane = CODER.restore(bits[_LENGTH_BYTES:end], told, *self._grid)
            if plane is None:
                raise PayloadError("malformed", "A plane of the map is no picture.")
            planes.append(plane[..., 1])
            bits = bits[end:]
        cells = np.array(present, np.uint8)[np.argmax(planes, 0)]
        cells[cells == VOID_PLANE] = VOID
        return Reconstruction(labels=grids.upsample(cells, WORK_SIZE)[0])

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        return colorize(given(known.labels))


def _coded(cells: np.ndarray, quantiser: int) -> tuple[Part, ...]:
    """The classes that are there, by a bit each, and their planes, each behind its length."""
    present: Sequence[int] = np.unique(cells).tolist()
    flags = sum(1 << c for c in present)
    coded = b""
    for c in present:
        plane = cv2.cvtColor(np.uint8(255) * (cells == c), cv2.COLOR_GRAY2BGR)
        bits = CODER.split(plane, 4 * quantiser)[1]
        coded += len(bits).to_bytes(_LENGTH_BYTES, "big") + bits
    names = Part(CLASSES_PART, 0, bits=flags.to_bytes(3, "big"))
    return names, Part(MAP_PART, 1, bits=coded)
