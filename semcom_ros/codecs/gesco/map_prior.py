# SPDX-License-Identifier: Apache-2.0
"""What the map coder knows before it sees a map: pre-trained counters and mixing weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gesco.logistic import SQUASH
from semcom_ros.errors import SemcomError

FILE = "gesco_map.safetensors"
RECIPE = "semcom train map --camvid DIR"
CONTEXTS = 13
COUNTERS = 1 << 15
"""Counters a context hashes into."""
SELECTORS = 383
"""Rows of mixing weights; a decision adds up four of them."""
SCALES = 3
_FINE, _MIDDLE = 144, 72

_CODED_RATE, _SCRATCH_RATE = 60, 1000
_LEVELS = (0, 2, 8, 255)
_STEP = 90  # of the logistic domain, in 1/256: the 63 levels span eleven nats either way


@dataclass(frozen=True)
class Prior:
    """The state that every map is coded from.

    counters: uint32 [SCALES, CONTEXTS, COUNTERS], probability in the upper 22 bits, times seen
    in the lower 10. weights: int32 [SCALES, SELECTORS, CONTEXTS + 1] in 1/65536. rate: how fast
    the weights follow the map at hand.
    """

    counters: np.ndarray
    weights: np.ndarray
    rate: int


def scale_of(height: int) -> int:
    """Which of the `SCALES` sets of statistics a map of `height` rows is coded with."""
    return 0 if height >= _FINE else 1 if height >= _MIDDLE else 2


def scratch() -> Prior:
    """A prior that knows nothing."""
    weights_ = np.zeros((SCALES, SELECTORS, CONTEXTS + 1), np.int32)
    weights_[..., :CONTEXTS] = 6000
    counters = np.full((SCALES, CONTEXTS, COUNTERS), 1 << 31, np.uint32)
    return Prior(counters, weights_, _SCRATCH_RATE)


def save_prior(models: Path, prior: Prior, card: dict) -> None:
    """Write `prior` into the folder `models`, one byte a counter: 6 bits chance, 2 bits trust."""
    chance = ((prior.counters >> 10) + 0.5) / (1 << 22)
    logit = np.log(chance / (1 - chance)) * 256
    level = np.clip(np.rint(logit / _STEP), -31, 31).astype(np.int64) + 31
    count = np.digitize((prior.counters & 1023).astype(np.int64), (1, 4, 20))
    stored = (level * 4 + count).astype(np.uint8)
    weights.save(models / FILE, {"counters": stored, "weights": prior.weights}, card)


def load_prior(models: Path) -> tuple[Prior, bytes]:
    """The prior in the folder `models`, and 8 bytes that name it (of the file's SHA-256).

    Raises SemcomError when the file is missing, altered, or of another version of the coder.
    """
    path = models / FILE
    tensors, card = weights.load(path, RECIPE)
    blank = scratch()
    stored, mixing = tensors.get("counters"), tensors.get("weights")
    if (
        stored is None
        or mixing is None
        or (stored.shape, stored.dtype) != (blank.counters.shape, np.uint8)
        or (mixing.shape, mixing.dtype) != (blank.weights.shape, np.int32)
    ):
        raise SemcomError(
            f"The prior {path} is of another version of the map coder: make it with `{RECIPE}`."
        )
    middle = SQUASH.size // 2
    logit = np.clip((np.arange(64) - 31) * _STEP, -middle, middle)
    chance = SQUASH[middle + logit].astype(np.uint32) << 6
    counters = (chance[stored >> 2] << 10) | np.array(_LEVELS, np.uint32)[stored & 3]
    return Prior(counters, mixing, _CODED_RATE), bytes.fromhex(card["sha256"])[:8]
