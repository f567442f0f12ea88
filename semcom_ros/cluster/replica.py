# SPDX-License-Identifier: Apache-2.0
"""One of those that paint for an RSU: it keeps networks, and nothing of any vehicle."""

from __future__ import annotations

import math
import pickle
import time
from collections import OrderedDict

import numpy as np

from semcom_ros.cluster.batch import Answer, Batch, RsuRecipe, changes, models_hash
from semcom_ros.errors import SemcomError
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.runtime import keep_freed_memory

KEPT = 2
"""Codecs at hand, so that a change back and forth costs nothing."""
IDLE_S = 10.0
"""How long it may do nothing until its health is to be tried out."""


class Replica:
    """Ray Serve calls it from one thread. recipe: of the first batches, made ready before any."""

    def __init__(self, recipe: RsuRecipe) -> None:
        keep_freed_memory()
        self._models = models_hash()
        self._made: OrderedDict[RsuRecipe, Rsu] = OrderedDict()
        self._well_at = -math.inf
        self._rsu(recipe)

    def paint(self, packed: np.ndarray) -> np.ndarray:
        """The pickled `Answer` to a pickled `Batch`, both uint8 [n]: Ray copies arrays once, bytes
        again and again. Raises what the networks do not load by."""
        batch: Batch = pickle.loads(packed.data)
        rsu = self._rsu(batch.recipe)
        rsu.decoder.settings, rsu.min_area = batch.settings, batch.min_area
        frames = batch.frames
        seen, wanted = [one.seen for one in frames], [one.wanted for one in frames]
        found = rsu.images([one.arrival() for one in frames], seen, wanted)
        # A device that failed fails for good, and says so by every frame: it is tried out at once.
        told = [one.error and one.error.__cause__ for one in found]
        told += [failure for one in found for failure in one.failures]
        broken = any(one and not isinstance(one, SemcomError) for one in told)
        self._well_at = -math.inf if broken else time.monotonic()
        answer = Answer(self._models, list(map(changes, seen, found)))
        return np.frombuffer(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL), np.uint8)

    def check_health(self) -> None:
        """Paint a blank frame where nothing was painted well of late; raises what that raises, and
        Ray Serve puts another replica in the place of this one."""
        if time.monotonic() - self._well_at > IDLE_S:
            next(iter(self._made.values())).decoder.warm_up()
            self._well_at = time.monotonic()

    def _rsu(self, recipe: RsuRecipe) -> Rsu:
        if recipe not in self._made:
            made = recipe.make()
            for _ in made.warm_up():
                pass
            self._made[recipe] = made
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(recipe)
        return self._made[recipe]
