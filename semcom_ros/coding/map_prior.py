# SPDX-License-Identifier: Apache-2.0
"""What the map coder knows before it sees a map: pre-trained counters and mixing weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semcom_ros import weights
from semcom_ros.coding.mixing import restored, stored
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
_COUNTERS_SHAPE = (SCALES, CONTEXTS, COUNTERS)
_WEIGHTS_SHAPE = (SCALES, SELECTORS, CONTEXTS + 1)

_CODED_RATE, _SCRATCH_RATE = 60, 1000


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
    weights_ = np.zeros(_WEIGHTS_SHAPE, np.int32)
    weights_[..., :CONTEXTS] = 6000
    counters = np.full(_COUNTERS_SHAPE, 1 << 31, np.uint32)
    return Prior(counters, weights_, _SCRATCH_RATE)


def save_prior(models: Path, prior: Prior, card: dict[str, Any]) -> None:
    """Write `prior` into the folder `models`."""
    n_parameters = prior.counters.size + prior.weights.size
    tensors = stored(prior.counters, prior.weights)
    weights.save(models / FILE, tensors, {**card, "parameters": n_parameters})


def load_prior(models: Path) -> tuple[Prior, bytes]:
    """The prior in the folder `models`, and 8 bytes that name it (of the file's SHA-256).

    Raises SemcomError when the file is missing, altered, or of another version of the coder.
    """
    path = models / FILE
    tensors, card = weights.load(path, RECIPE)
    state = restored(tensors, _COUNTERS_SHAPE, _WEIGHTS_SHAPE)
    if state is None:
        raise SemcomError(
            f"The prior {path} is of another version of the map coder: make it with `{RECIPE}`."
        )
    return Prior(*state, _CODED_RATE), bytes.fromhex(card["sha256"])[:8]
