# SPDX-License-Identifier: Apache-2.0
"""What each class weighs in the losses of SQ-GAN: the paper's tables for Cityscapes' classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from semcom_ros.labels import NAMES

MAP_OTHERS, IMAGE_OTHERS = 0.5, 0.15
MAP = {
    "traffic sign": 1.0, "traffic light": 1.0, "person": 0.85, "rider": 0.85,
    "sky": 0.2, "vegetation": 0.2,
}  # fmt: skip
"""Of the cross-entropy of the map; other classes weigh `MAP_OTHERS`."""
IMAGE = {
    "traffic sign": 1.0, "traffic light": 1.0, "person": 0.55, "rider": 0.55,
    "sky": 0.0, "vegetation": 0.0,
}  # fmt: skip
"""Of the absolute error of the image; other classes weigh `IMAGE_OTHERS`."""
GIVEN_BACK = {"sky": 0.85, "vegetation": 0.85, "road": 0.425}
"""Of a regenerated class's residual, the share that is given back before the discriminator looks:
it shall not judge what is not worth bits. The released code uses vegetation twice and road never;
this is the reading that the paper intends."""


def table(weights: Mapping[str, float], others: float) -> np.ndarray:
    """Weight by trainId float32 [256]; `others` for classes not named, and void."""
    found = np.full(256, others, np.float32)
    for name, weight in weights.items():
        found[NAMES.index(name)] = weight
    return found
