# SPDX-License-Identifier: Apache-2.0
"""gsc at the vehicle: an image and what is asked for, to complex symbols."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import nn

from semcom_ros import weights
from semcom_ros.codecs.base import SYMBOLS_PER_BYTE, BudgetError, CodecEnd, Reading, Request
from semcom_ros.codecs.gsc import GscSettings
from semcom_ros.codecs.gsc.networks import GscSender
from semcom_ros.codecs.gsc.shared import (
    EDGES,
    ENCODER,
    PARTS,
    SNR_RANGE_DB,
    USUAL_SNR_DB,
    file_of,
    grid_of,
    load_file,
)
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.codecs.gsc.symbols import to_symbols, unit_power
from semcom_ros.codecs.gsc.task import MAP, WANTED, TaskKnowledge, wanted
from semcom_ros.errors import SemcomError, given
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.layers.image_input import to_input
from semcom_ros.layers.residual import for_inference
from semcom_ros.payload import MAX_PAYLOAD_BYTES, SYMBOLS_OVERHEAD, Part

WARM_UPS = 3
_log = logging.getLogger(__name__)


class Encoder(CodecEnd):
    """Frames in, parts of symbols out; the first planes in the first part.

    tasks: reads requests. Settings are refused whose task means nothing, or whose networks are
    missing; the encoder then stays as it was.
    """

    defaults = GscSettings
    _settings: GscSettings | None = None

    def __init__(self, **end: Any) -> None:
        self.tasks, self._refused = TaskKnowledge(), ""
        super().__init__(**end)

    @property
    def settings(self) -> GscSettings:
        return given(self._settings)

    @settings.setter
    def settings(self, settings: GscSettings) -> None:
        own = self.tasks.read(settings.task)
        if self._settings is None or self._settings.network != settings.network:
            self.network, self.sizes, self.model = self._load(settings.network)
        self._own, self._settings = own, settings

    def _load(self, name: str) -> tuple[nn.Module, GscSizes, bytes]:
        path = self.models / file_of(ENCODER, name)
        tensors, _, sizes, model = load_file(path, name)
        network = GscSender(sizes)
        weights.fill(network, tensors, path)
        return for_inference(network, torch.bfloat16).to(self.device), sizes, model

    def read(self, words: str) -> Reading:
        """What the RSU asks for; where it asks for nothing, or for what gsc does not do, what the
        settings do."""
        if not words:
            return self._own
        try:
            return self.tasks.read(words)
        except SemcomError as error:
            if words != self._refused:  # once, not with every frame
                self._refused = words
                _log.warning("%s", error)
            return self._own

    def warm_up(self) -> None:
        for _ in range(WARM_UPS):
            street = Frame(np.zeros((*WORK_SIZE, 3), np.uint8))
            self.encode(street, Request.of_bytes(MAX_PAYLOAD_BYTES))

    @torch.inference_mode()
    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        """The parts of `frame`, in as many channel uses as the budget's bytes would take.

        Raises BudgetError where not one plane fits.
        """
        try:
            asked = wanted(request.task)
        except KeyError:
            asked = wanted(self.read(request.task).instruction)
        reported = None if request.link is None else request.link.snr_db
        snr_db = self.settings.told_snr_db(reported)
        told = np.clip(USUAL_SNR_DB if snr_db is None else snr_db, *SNR_RANGE_DB)
        images = to_input(frame.image[np.newaxis], torch.bfloat16, self.device)
        tasks, noise = (
            torch.tensor(values, dtype=torch.float32, device=self.device)
            for values in ([asked], [told])
        )
        planes = self.network(images, tasks, noise)
        area = int(np.prod(grid_of(self.sizes)))
        kept = self._planes(request, asked, area)
        sent = unit_power(to_symbols(planes[:, : 2 * kept]), kept * area)[0].cpu().numpy()
        ends = [min(end, kept) for end in (*EDGES[1:], kept)]
        return tuple(
            Part(name, at, symbols=sent[first * area : end * area])
            for at, (name, first, end) in enumerate(zip(PARTS, EDGES, ends, strict=True))
            if first < end
        )

    def _planes(self, request: Request, asked: tuple[bool, bool], area: int) -> int:
        """How many planes are sent."""
        most = self.settings.symbols
        if not most:
            whole, told = request.budget_symbols, SYMBOLS_OVERHEAD + request.seal_bytes
            if whole < area + SYMBOLS_PER_BYTE * told:
                raise BudgetError(told + -(-area // SYMBOLS_PER_BYTE))
            # No more is taken for parts than for those that there would be for nothing.
            most = whole - SYMBOLS_PER_BYTE * told * sum(edge * area < whole for edge in EDGES)
            # A map needs less than a picture.
            most = min(most, whole // 2) if asked == WANTED[MAP] else most
        return int(min(max(1, most // area), self.sizes.planes))
