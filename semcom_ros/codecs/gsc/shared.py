# SPDX-License-Identifier: Apache-2.0
"""What both ends of gsc agree on: how planes are shared out to parts, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gsc import FAST, PAPER
from semcom_ros.codecs.gsc.sizes import GscSizes
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.payload import Payload, PayloadError

EDGES = (0, 2, 4, 8)
"""The first plane of each part; the last part has the rest. A lost part is tail planes lost."""
PARTS = tuple(f"symbols_{at + 1}" for at in range(len(EDGES)))
LOUDEST = 16.0
"""Amplitude beyond which a symbol is none of a payload of unit power: it is cut."""
SNR_RANGE_DB = (-5.0, 20.0)
"""What encoders know of; beyond, they prepare for the nearer end."""
USUAL_SNR_DB = 10.0
"""Prepared for while nobody knows the link's."""

ENCODER, DECODER, PERCEPTUAL = "encoder", "decoder", "perceptual"
RECIPES = {FAST: "semcom train gsc --step pack", PAPER: "semcom train gsc-paper"}
"""What makes the files of the networks that `GscSettings.network` names."""


class ArrivedPlanes(NamedTuple):
    """symbols: complex64 [kept, h, w] as the receiver has them; noise_variance: float32, alike."""

    symbols: np.ndarray
    noise_variance: np.ndarray

    @property
    def kept(self) -> int:
        """Planes that arrived, without a gap."""
        return len(self.symbols)


def grid_of(sizes: GscSizes) -> tuple[int, int]:
    """Rows and columns of a symbol plane."""
    return WORK_SIZE[0] // sizes.stride, WORK_SIZE[1] // sizes.stride


def file_of(part: str, network: str) -> str:
    """The file of an end, or of the perceptual decoder, of the networks named."""
    return f"gsc_{part}.safetensors" if network == FAST else f"gsc_{network}_{part}.safetensors"


def load_file(
    path: Path, network: str
) -> tuple[dict[str, np.ndarray], dict[str, Any], GscSizes, bytes]:
    """Tensors, card and sizes in one file of the networks named, and the 8 bytes that name what
    both ends were trained as. Raises SemcomError."""
    recipe = RECIPES[network]
    tensors, card = weights.load(path, recipe)
    sizes = GscSizes.of_card(card, path)
    try:
        model = bytes.fromhex(card["pair"])
    except (KeyError, TypeError, ValueError):
        model = b""
    if len(model) != 8:
        raise SemcomError(f"The card of {path} does not name its pair: make it with `{recipe}`.")
    return tensors, card, sizes, model


def read_planes(payload: Payload, sizes: GscSizes) -> ArrivedPlanes:
    """The planes of `payload` up to the first part that is not there.

    Raises PayloadError lost where the first part is erased, malformed for what is no such payload.
    """
    grid = grid_of(sizes)
    area, found = grid[0] * grid[1], []
    for name, first, end in zip(PARTS, EDGES, (*EDGES[1:], sizes.planes), strict=True):
        part = next((p for p in payload.parts if p.name == name), None)
        if part is None or part.erased:
            break
        count = 0 if part.symbols is None else len(part.symbols)
        if part.symbols is None or not 0 < count <= (end - first) * area or count % area:
            raise PayloadError(
                "malformed", f"Part '{name}' holds no 1 to {end - first} planes of {area} symbols."
            )
        variance = part.noise_variance
        found.append((part.symbols, np.zeros(count, np.float32) if variance is None else variance))
        if count < (end - first) * area:
            break
    if not found:
        payload.part(PARTS[0])  # raises where it was never there
        raise PayloadError("lost", f"Part '{PARTS[0]}' was lost on the air.")
    symbols, variance = (np.concatenate(both) for both in zip(*found, strict=True))
    heard = np.maximum(np.abs(symbols), LOUDEST) / LOUDEST
    return ArrivedPlanes((symbols / heard).reshape(-1, *grid), variance.reshape(-1, *grid))
