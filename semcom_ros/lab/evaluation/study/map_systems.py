# SPDX-License-Identifier: Apache-2.0
"""The label map by itself, by general lossless coders and by the map coder: no picture is sent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from semcom_ros.channel.parameters import NONE
from semcom_ros.codecs.gesco.shared import MAP_PART, GescoShared
from semcom_ros.codecs.image.rate_control import largest
from semcom_ros.coding import grids, map_coder
from semcom_ros.errors import SemcomError, choose
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.lossless import CONTAINER_BYTES, compress, restore
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import Outcome, concealed, rate_of, symbols_sent, timed
from semcom_ros.labels import LABEL_SPACE, colorize
from semcom_ros.payload import Header, Part, Payload, PayloadError, pack
from semcom_ros.reconstruction import Reconstruction
from semcom_ros.weights import models_dir

CONTEXT = "context"
CODERS = (CONTEXT, *CONTAINER_BYTES)


class LabelMap:
    """The vehicle's map as `coder` has it: `context`, GESCO's map coder, or `png` or `webp`.

    rows: of the grid that it is sent on, one of `grids.GRIDS`; the finest is the map itself.
    payload_bytes: instead of rows, the finest grid whose payload fits. What the RSU shows is the
    map in its classes' colours. A map that is lost leaves the last good one standing.
    """

    uses_labels = True
    links = frozenset({NONE, "channel"})

    def __init__(
        self, coder: str = CONTEXT, rows: int | None = None, payload_bytes: int | None = None
    ) -> None:
        choose(coder, CODERS, "coder of label maps")
        known = [height for height, _ in grids.GRIDS]
        if rows is not None and payload_bytes is not None:
            raise SemcomError("A label map is sent on so many rows or in so many bytes: give one.")
        if rows is not None and rows not in known:
            told = ", ".join(map(str, known))
            raise SemcomError(f"A label map has no grid of {rows} rows; there are {told}.")
        self._coder, self._bytes = coder, payload_bytes
        self._grid = known.index(known[0] if rows is None else rows)
        self.codec, self.setting = f"{coder} map", payload_bytes or known[self._grid]
        context = coder == CONTEXT
        self.models = tuple(sorted(models_dir().glob("gesco_*.safetensors"))) if context else ()
        self._prior = GescoShared.load(models_dir()).prior if context else None
        self.end()

    def begin(self, link: Link, seed: int) -> None:
        self._ideal, self._channel = link.kind == NONE, link.channel(seed)
        self._last: Reconstruction | None = None

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        payload, encode_ms = self._encode(frame, labels, index)
        concealment = concealed(frame, self._last, gives_labels=True)
        if isinstance(payload, SemcomError):
            refusal = str(payload)
            return Outcome(concealment, labels, lost=True, refusal=refusal, budget=self._bytes)
        rate = rate_of(payload, frame)
        received = self._channel.transmit(payload)
        outcome = Outcome(
            concealment,
            labels,
            rate.bytes,
            rate.bits_per_pixel,
            rate.channel_uses if self._ideal else symbols_sent(self._channel),
            encode_ms,
            lost=True,
            budget=self._bytes,
            container_bytes=CONTAINER_BYTES.get(self._coder, 0),
        )
        try:
            bits = received.bits(MAP_PART)
        except PayloadError:
            return outcome
        found, decode_ms = timed(lambda: self._decode(bits, labels.shape))
        self._last = Reconstruction(image=colorize(found), labels=found)
        return replace(outcome, reconstruction=self._last, decode_ms=decode_ms, lost=False)

    def end(self) -> None:
        self._sent: dict[int, tuple[Payload | SemcomError, float]] = {}

    def _encode(
        self, frame: Frame, labels: np.ndarray, index: int
    ) -> tuple[Payload | SemcomError, float]:
        """The payload of frame `index`, the same over every link, or why there is none."""
        if index not in self._sent:
            made = timed(lambda: self._fitted(frame, labels, index))
            self._sent[index] = made
        return self._sent[index]

    def _fitted(self, frame: Frame, labels: np.ndarray, index: int) -> Payload | SemcomError:
        tried: dict[int, Payload] = {}

        def payload(grid: int) -> Payload:
            cells = grids.pool(labels, grids.GRIDS[grid])
            if self._coder == CONTEXT:
                code = map_coder.encode(cells, self._prior)
            else:
                code = compress(self._coder, cells)
            height, width = labels.shape
            header = Header(self._coder, 1, b"", height, width, LABEL_SPACE, index, frame.stamp)
            return Payload(header, (Part(MAP_PART, 0, bits=bytes([grid]) + code),))

        if self._bytes is None:
            return payload(self._grid)
        coarsest = len(grids.GRIDS) - 1

        def fits(place: int) -> bool:
            tried[place] = payload(coarsest - place)
            return len(pack(tried[place])) <= self._bytes

        place = largest(len(grids.GRIDS), fits, coarsest // 2)
        if place is not None:
            return tried[place]
        return SemcomError(
            f"This map needs {len(pack(tried[0]))} bytes with '{self._coder}' on the coarsest "
            f"grid, the setting is {self._bytes}: raise payload_bytes."
        )

    def _decode(self, bits: bytes, size: tuple[int, int]) -> np.ndarray:
        """uint8 [H, W] trainId of `size`."""
        grid, code = grids.GRIDS[bits[0]], bits[1:]
        if self._coder == CONTEXT:
            cells = map_coder.decode(code, *grid, self._prior)
        else:
            cells = restore(self._coder, code, *grid)
        return grids.upsample(cells, size)[0]
