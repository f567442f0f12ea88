# SPDX-License-Identifier: Apache-2.0
"""Learned links as systems of a study: planes as symbols of unit mean power over the radio."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from semcom_ros.channel.phy.mcs import MCS_TABLE, symbols_needed
from semcom_ros.codecs.base import SYMBOLS_PER_BYTE, Received, Request
from semcom_ros.codecs.gsc.symbols import to_planes, to_symbols, unit_power
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Frame
from semcom_ros.lab.evaluation.study.study_codec import StudyCodec
from semcom_ros.lab.evaluation.study.systems import System
from semcom_ros.lab.jscc import networks
from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.lab.training import air
from semcom_ros.layers.image_input import to_input
from semcom_ros.payload import Part, Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction

CHOICE_MCS = MCS_TABLE[0]
"""The choice of planes is sent with the most robust scheme: without it nothing can be read."""
_CHOICE, _PLANES = "choice", "planes"
_load = cache(networks.load)


def learned_link(
    name: str, payload_bytes: int = 512, weights: str = "", told_snr_db: float | None = None,
    device: str = "cpu",
) -> System:  # fmt: skip
    """The link `name` at as many channel uses as `payload_bytes` would take (QPSK, rate 1/2).

    weights: the file, by default in `networks.FOLDER`. told_snr_db: as `System` has it. A choice of
    planes counts: it takes its share of the channel uses. Raises SemcomError where not even one
    plane fits.
    """
    path = Path(weights) if weights else networks.FOLDER / f"{name}.safetensors"
    network = _load(name, path, device)
    return _Link(network, SYMBOLS_PER_BYTE * payload_bytes, device).system(
        name, payload_bytes, budget=payload_bytes, mcs=CHOICE_MCS.name, maps=network.reads,
        told_snr_db=told_snr_db, models=(path,), bits_per_symbol=0,
    )  # fmt: skip


deepjscc, adjscc, witt, swinjscc, deeplab_jscc = (
    partial(learned_link, name) for name in networks.TWINS if name != networks.READER
)


class _Link(StudyCodec):
    """network: of either end. uses: complex symbols a frame, those of the choice included."""

    hears_snr = True

    def __init__(self, network: AnalogLink, uses: int, device: str) -> None:
        super().__init__(device=device)
        self.network = network
        self.grid = (WORK_SIZE[0] // network.stride, WORK_SIZE[1] // network.stride)
        self.cells = self.grid[0] * self.grid[1]
        told = symbols_needed(-(-network.planes // 8), CHOICE_MCS) if network.chooses else 0
        self.planes_sent = min((uses - told) // self.cells, network.planes // 2)
        if self.planes_sent < 1:
            raise SemcomError(
                f"One plane of this link takes {self.cells + told} channel uses, and {uses} are "
                f"allowed: give payload_bytes from {-(-(self.cells + told) // SYMBOLS_PER_BYTE)}."
            )

    @torch.inference_mode()
    def encode(self, frame: Frame, request: Request) -> tuple[Part, ...]:
        image = to_input(frame.image[np.newaxis], torch.float32, self.device)
        snr_db = self._told(request.link and request.link.snr_db)
        kept = torch.tensor([self.planes_sent], device=self.device)
        planes, sent = self.network.encode(image, snr_db, kept)
        symbols = unit_power(to_symbols(planes[sent][None]), self.planes_sent * self.cells)
        parts = [Part(_PLANES, 1, symbols=symbols[0].cpu().numpy())]
        if self.network.chooses:
            bits = np.packbits(sent[0].cpu().numpy()).tobytes()
            parts.insert(0, Part(_CHOICE, 0, bits=bits))
        return tuple(parts)

    def labels(self, payload: Payload) -> Reconstruction:
        if not self.network.reads:
            return Reconstruction()
        found = self._decoded(payload).argmax(1)[0]
        return Reconstruction(labels=found.to(torch.uint8).cpu().numpy())

    def image(self, received: Received, known: Reconstruction) -> np.ndarray | None:
        """uint8 [H, W, 3]; none from a link of maps."""
        if self.network.reads:
            return None
        pixels = self._decoded(received.payload)[0].permute(1, 2, 0)
        return pixels.mul(255).round().clamp(0, 255).byte().cpu().numpy()

    @torch.inference_mode()
    def _decoded(self, payload: Payload) -> torch.Tensor:
        part = payload.part(_PLANES)
        if part.symbols is None:
            raise PayloadError("lost", f"Part '{_PLANES}' was lost on the air.")
        network = self.network
        sent = np.arange(network.planes) < 2 * self.planes_sent
        if network.chooses:
            bits = np.frombuffer(payload.bits(_CHOICE), np.uint8)
            sent = np.unpackbits(bits, count=network.planes).astype(bool)
        planes = torch.zeros(1, network.planes, *self.grid, device=self.device)
        symbols = torch.from_numpy(part.symbols)[None].to(self.device)
        planes[0, torch.from_numpy(sent)] = to_planes(symbols, self.grid)[0]
        return network.decode(planes, self._told(payload.snr_db))

    def _told(self, snr_db: float | None) -> torch.Tensor:
        """Within the range that networks learnt in, and its best where none is known: an ideal link
        has no noise."""
        low, high = air.SNR_DB
        told = high if snr_db is None else min(max(snr_db, low), high)
        return torch.tensor([told], device=self.device)
