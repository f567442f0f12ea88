# SPDX-License-Identifier: Apache-2.0
"""Systems without a network: the image itself, uncoded or not sent at all, and the map itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs.base import BudgetError, Received, Request
from semcom_ros.codecs.gesco.shared import MAP_PART, GescoShared
from semcom_ros.codecs.image.rate_control import largest
from semcom_ros.coding import grids, map_coder
from semcom_ros.errors import SemcomError, choose, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.lab.evaluation import bpg_planes
from semcom_ros.lab.evaluation.lossless import CONTAINER_BYTES, compress, restore
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System, weights_of
from semcom_ros.labels import colorize
from semcom_ros.payload import Part, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

CONTEXT = "context"
LOSSLESS = (CONTEXT, *CONTAINER_BYTES)
BPG = "bpg"
CODERS = (*LOSSLESS, BPG)
_PIXELS = "pixels"


def original() -> System:
    """The ceiling of every table: the RSU sees the camera's own image."""
    return _Original().system("original", links=frozenset({NONE}), keeps=False)


def full_image() -> System:
    """GESCO's full-image link: pixels sent as analog values, without any code.

    Over noise, y = x + n with x in 0..1 and sigma^2 = P 10^(-PSNR/10), P as `lab.map_noise`
    defines it: the mean over the pixels of the squares summed over R, G and B. Over a channel, two
    values around their mean make one complex symbol, at unit mean power.
    """
    links = frozenset({NONE, "noise", "channel"})
    return _FullImage().system("full_image", links=links, keeps=False, bits_per_symbol=0)


def label_map(
    coder: str = CONTEXT, rows: int | None = None, payload_bytes: int | None = None
) -> System:
    """The vehicle's map as `coder` has it: `context`, GESCO's map coder, `png` or `webp`, or with
    loss as one-hot planes by `bpg`, as GESCO's paper stores it.

    rows: of the grid that it is sent on, one of `grids.GRIDS`; the finest is the map itself.
    payload_bytes: instead of rows, the finest grid whose payload fits. What the RSU shows is the
    map in its classes' colours. Raises SemcomError.
    """
    choose(coder, CODERS, "coder of label maps")
    known = [height for height, _ in grids.GRIDS]
    if rows is not None and payload_bytes is not None:
        raise SemcomError("A label map is sent on so many rows or in so many bytes: give one.")
    if rows is not None and rows not in known:
        told = ", ".join(map(str, known))
        raise SemcomError(f"A label map has no grid of {rows} rows; there are {told}.")
    rows = rows or known[0]
    return _LabelMap(coder, None if payload_bytes else known.index(rows)).system(
        f"{coder} map",
        payload_bytes or rows,
        name=coder,
        budget=payload_bytes,
        models=weights_of("gesco") if coder == CONTEXT else (),
    )


class _Original(StudyCodec):
    """Sends nothing; the RSU looks through the camera."""

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        self._image = frame.image
        return ()

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        return self._image


class _FullImage(StudyCodec):
    """Scale and mean of a frame's values go from end to end beside the payload."""

    disturb: Callable[[np.ndarray], np.ndarray]

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        values = _to_planes(frame.image).ravel()
        if values.size % 2:
            raise SemcomError("Pixels are sent in pairs: the frame needs an even number of values.")
        self._mean = values.mean()
        power = float(np.mean(np.square(values - self._mean), dtype=np.float64)) * 2
        self._scale = np.float32(power**0.5 or 1.0)
        symbols = np.ascontiguousarray((values - self._mean) / self._scale).view(np.complex64)
        return (Part(_PIXELS, 0, symbols=symbols),)

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        part = received.payload.part(_PIXELS)
        if part.symbols is None:
            raise PayloadError("lost", f"Part '{_PIXELS}' was lost on the air.")
        values = part.symbols.view(np.float32).reshape(3, *WORK_SIZE)
        image = _to_image(values * self._scale + self._mean)
        # Over noise the pixels came as they were sent, and meet it here.
        return _to_image(self.disturb(_to_planes(image)))


class _LabelMap(StudyCodec):
    """grid: a place in `grids.GRIDS`, or None for the finest that fits the budget."""

    sends_labels = True

    def __init__(self, coder: str, grid: int | None) -> None:
        self._coder, self._grid = coder, grid
        self._prior = GescoShared.load(models_dir()).prior if coder == CONTEXT else None

    def told(self, parts: Sequence[Part]) -> Mapping[str, Any]:
        """What the standard's file has beyond what is sent."""
        return {"container_bytes": CONTAINER_BYTES.get(self._coder, 0)}

    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """Raises BudgetError where the map fits on no grid."""
        labels, tried = given(frame.labels), {}
        if self._grid is not None:
            return self._on(self._grid, labels)
        coarsest = len(grids.GRIDS) - 1

        def fits(place: int) -> bool:
            tried[place] = self._on(coarsest - place, labels)
            return request.bytes_of(tried[place]) <= request.budget_bytes

        place = largest(len(grids.GRIDS), fits, coarsest // 2)
        if place is None:
            raise BudgetError(request.bytes_of(tried[0]))
        return tried[place]

    def _on(self, grid: int, labels: np.ndarray) -> tuple[Part, ...]:
        cells = grids.pool(labels, grids.GRIDS[grid])
        if self._coder == CONTEXT:
            code = map_coder.encode(cells, self._prior)
        elif self._coder == BPG:
            code = bpg_planes.compress(cells)
        else:
            code = compress(self._coder, cells)
        return (Part(MAP_PART, 0, bits=bytes([grid]) + code),)

    def labels(self, payload: Payload) -> Reconstruction:
        bits = payload.bits(MAP_PART)
        if self._coder == CONTEXT:
            cells = grids.decode_cells(bits, self._prior)
        elif self._coder == BPG:
            cells = bpg_planes.restore(bits[1:], *grids.GRIDS[bits[0]])
        else:
            cells = restore(self._coder, bits[1:], *grids.GRIDS[bits[0]])
        return Reconstruction(labels=grids.upsample(cells, WORK_SIZE)[0])

    def image(self, received: Received, known: Reconstruction) -> np.ndarray:
        return colorize(given(known.labels))


def _to_planes(image: np.ndarray) -> np.ndarray:
    """float32 [3, H, W] in 0..1 of an image uint8 [H, W, 3]."""
    return image.transpose(2, 0, 1).astype(np.float32) / 255


def _to_image(planes: np.ndarray) -> np.ndarray:
    """The reverse, rounded and clipped."""
    image = np.clip(np.rint(255 * planes), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(image)
