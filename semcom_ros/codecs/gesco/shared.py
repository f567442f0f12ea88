# SPDX-License-Identifier: Apache-2.0
"""What vehicle and RSU must both hold for GESCO: the map coder's prior, the colours' statistics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcom_ros import weights
from semcom_ros.codecs.gesco.appearance import COEFFICIENTS, Statistics
from semcom_ros.codecs.gesco.map_prior import Prior, load_prior
from semcom_ros.errors import SemcomError

NAME = "gesco"
VERSION = 1
MAP_PART, CLASSES_PART, PLANES_PART, APPEARANCE_PART = "labels", "classes", "planes", "appearance"
APPEARANCE_FILE = "gesco_appearance.safetensors"
APPEARANCE_RECIPE = "semcom train appearance --camvid DIR"


@dataclass(frozen=True)
class Shared:
    """prior: of the map coder. statistics: of the thumbnail. model: 8 bytes naming both."""

    prior: Prior
    statistics: Statistics
    model: bytes

    @classmethod
    def load(cls, models: Path) -> Shared:
        """Both from the folder `models`; raises SemcomError when a file is missing or altered."""
        prior, prior_hash = load_prior(models)
        tensors, card = weights.load(models / APPEARANCE_FILE, APPEARANCE_RECIPE)
        mean, spread = tensors.get("mean"), tensors.get("log_spread")
        if (
            mean is None
            or spread is None
            or not mean.shape == spread.shape == (COEFFICIENTS,)
            or not np.issubdtype(spread.dtype, np.integer)
        ):
            raise SemcomError(
                f"{models / APPEARANCE_FILE} holds no statistics of {COEFFICIENTS} coefficients: "
                f"restore models/ from the repository or make it with `{APPEARANCE_RECIPE}`."
            )
        statistics = Statistics(mean.astype(np.float32), spread)
        names = prior_hash + bytes.fromhex(card["sha256"])
        return cls(prior, statistics, hashlib.sha256(names).digest()[:8])
