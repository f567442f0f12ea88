# SPDX-License-Identifier: Apache-2.0
"""Training of the map coder's prior: one pass over label maps on every grid of the ladder."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from semcom_ros.codecs.gesco import map_coder
from semcom_ros.codecs.gesco.grids import GRIDS, pool
from semcom_ros.codecs.gesco.map_prior import Prior, scratch

_FIRST_RATE, _LAST_RATE = 1500, 20


def train(maps: Iterable[np.ndarray], seed: int = 0) -> Prior:
    """The prior that has seen `maps` (uint8 [H, W] trainId) and their mirror images, shuffled.

    One pass, each map coded before it is learned, so that the mixing weights are those that
    suit unseen maps; their rate falls by the same factor at every step.
    """
    maps = [m for labels in maps for m in (labels, np.ascontiguousarray(labels[:, ::-1]))]
    order = np.random.default_rng(seed).permutation(len(maps))
    prior = scratch()
    for step, index in enumerate(order):
        rate = round(_FIRST_RATE * (_LAST_RATE / _FIRST_RATE) ** (step / len(order)))
        for grid in GRIDS:
            map_coder.learn(pool(maps[index], grid), prior, rate)
    return prior
