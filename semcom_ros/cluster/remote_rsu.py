# SPDX-License-Identifier: Apache-2.0
"""An RSU whose maps are decoded here and whose images are painted, and looked at, by a cluster."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, Self

from semcom_ros.cluster.batch import Answer, Batch, RsuRecipe, SentFrame, changed, models_hash
from semcom_ros.cluster.connection import check_ray
from semcom_ros.cluster.gateway import Deployment
from semcom_ros.cluster.parameters import painter
from semcom_ros.cluster.pool import Pool
from semcom_ros.codecs.base import Decoder
from semcom_ros.perception.backends import NONE
from semcom_ros.perception.fusion import MIN_AREA
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.executor import BackendUnavailable
from semcom_ros.pipeline.receiver import Arrival
from semcom_ros.pipeline.rsu import Rsu, Tell, Wanted


def join(settings: Any, chosen: Mapping[str, str], name: str) -> Pool:
    """The cluster that a node called `name` wants by its `settings`, there or not. chosen: what
    sees to each task. Raises SemcomError where there is no Ray for this Python."""
    check_ray()
    s, own = settings, name.strip("/").replace("/", "-")
    recipe = _recipe(s, chosen)
    return Pool(Deployment(s.ray_address, own, s.replicas, s.replica_cpus, s.replica_gpus, recipe))


class RemoteRsu(Rsu):
    """As `Rsu`; its decoder paints nothing. tasks: what the replicas see to (segmentation,
    detection, depth)."""

    def __init__(
        self,
        decoder: Decoder,
        pool: Pool,
        recipe: RsuRecipe,
        tasks: Sequence[str],
        min_area: int = MIN_AREA,
    ) -> None:
        super().__init__(decoder, dict.fromkeys(tasks, _elsewhere), min_area)
        self._pool, self._recipe, self._models = pool, recipe, models_hash()

    @classmethod
    def of(cls, settings: Any, chosen: Mapping[str, str], decoder: Decoder, pool: Pool) -> Self:
        """As a node's `settings` have it. chosen: what sees to each task."""
        tasks = [task for task, backend in chosen.items() if backend != NONE]
        return cls(decoder, pool, _recipe(settings, chosen), tasks, settings.min_area)

    def warm_up(self) -> Iterator[None]:
        """Nothing: replicas warm up by themselves."""
        return iter(())

    def images(
        self, batch: Sequence[Arrival], percepts: Sequence[Percepts], wanted: Sequence[Wanted],
        tell: Tell = lambda *_: None,
    ) -> list[Percepts]:  # fmt: skip
        """As `Rsu.images`, all told at the end. Raises BackendUnavailable where nothing, or
        something by other models than those here, came back."""
        frames = [SentFrame.of(*one) for one in zip(batch, percepts, wanted, strict=True)]
        asked = Batch(self._recipe, self.decoder.settings, self.min_area, frames)
        answer: Answer = pickle.loads(self._pool.paint(pickle.dumps(asked, -1)))
        if answer.models != self._models:
            raise BackendUnavailable(
                "A batch of images was painted by other models, or another release, than those "
                f"here, and skipped ({answer.models[:8]}, not {self._models[:8]}): bring the "
                "hosts of the cluster to one state."
            )
        found = [changed(*one) for one in zip(percepts, answer.changes, strict=True)]
        for arrival, seen in zip(batch, found, strict=True):
            if seen.image is not None:
                arrival.memory.image = (arrival.payload.header.sequence, seen.image)
        return found


def _recipe(settings: Any, chosen: Mapping[str, str]) -> RsuRecipe:
    own = (settings.codec, tuple(chosen.items()), painter(settings))
    return RsuRecipe.of(*own, settings.detection_threshold, settings.camera_height_m)


def _elsewhere(*_: object) -> NoReturn:
    raise AssertionError("Images are looked at where they are painted.")
