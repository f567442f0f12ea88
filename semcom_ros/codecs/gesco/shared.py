# SPDX-License-Identifier: Apache-2.0
"""What vehicle and RSU must both hold for GESCO: the map coder's prior, the colours' statistics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semcom_ros import weights
from semcom_ros.coding.map_prior import Prior, load_prior
from semcom_ros.coding.thumbnail import COEFFICIENTS, CoefficientStatistics
from semcom_ros.errors import SemcomError

MAP_PART, CLASSES_PART, PLANES_PART = "labels", "classes", "planes"
THUMBNAIL_PART, PICTURE_PART = "thumbnail", "picture"
THUMBNAIL_FILE = "gesco_thumbnail.safetensors"
THUMBNAIL_RECIPE = "semcom train thumbnail --camvid DIR"
DIFFUSION_FILE = "gesco_diffusion.safetensors"
DIFFUSION_RECIPE = "semcom train gesco --camvid DIR"
RESTORER_FILE = "gesco_restorer.safetensors"
RESTORER_RECIPE = "semcom train restorer --pack DIR"
PAPER_FILE = "gesco_paper.safetensors"
PAPER_RECIPE = "semcom train gesco-paper --data cityscapes:DIR"


@dataclass(frozen=True)
class GescoShared:
    """prior: of the map coder. statistics: of the thumbnail. model: 8 bytes naming both."""

    prior: Prior
    statistics: CoefficientStatistics
    model: bytes

    @classmethod
    def load(cls, models: Path) -> GescoShared:
        """Both from the folder `models`; raises SemcomError when a file is missing or altered."""
        prior, prior_hash = load_prior(models)
        tensors, card = weights.load(models / THUMBNAIL_FILE, THUMBNAIL_RECIPE)
        mean, spread = (tensors.get(name, np.empty(0)) for name in ("mean", "log_spread"))
        if not mean.shape == spread.shape == (COEFFICIENTS,) or spread.dtype.kind != "i":
            raise SemcomError(
                f"{models / THUMBNAIL_FILE} holds no statistics of {COEFFICIENTS} coefficients: "
                f"restore models/ from the repository or make it with `{THUMBNAIL_RECIPE}`."
            )
        statistics = CoefficientStatistics(mean.astype(np.float32), spread)
        names = prior_hash + bytes.fromhex(card["sha256"])
        return cls(prior, statistics, hashlib.sha256(names).digest()[:8])
