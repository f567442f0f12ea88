# SPDX-License-Identifier: Apache-2.0
"""What sees to which task at the RSU."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE
from semcom_ros.perception import backends
from semcom_ros.perception.backends import NONE, SHIPPED
from semcom_ros.pipeline.rsu import Perceive

TASKS = ("segmentation", "detection", "depth")
WARM_UPS = 3


def load_perceivers(
    chosen: Mapping[str, str], device: str, threshold: float, camera_height_m: float
) -> dict[str, Perceive]:
    """By task, what `chosen` names for it: "shipped", "none" or a checkpoint. Raises SemcomError.

    The shipped network does all its tasks at once; a checkpoint runs when its own is asked for.
    """
    perceive: dict[str, Perceive] = {}
    for backend in set(chosen.values()) - {NONE}:
        tasks = [task for task in TASKS if chosen[task] == backend]
        for together in [tasks] if backend == SHIPPED else [[task] for task in tasks]:
            made = backends.create_perception(
                **{task: backend if task in together else NONE for task in TASKS},
                device=device,
                threshold=threshold,
                camera_height_m=camera_height_m,
            )
            perceive |= dict.fromkeys(together, made)
    return perceive


def warm_up(perceive: Mapping[str, Perceive]) -> None:
    """Do what the first frame would wait for, in the thread that is going to see."""
    # Any image does, but relative depth wants a road, seen by some camera.
    image, road = np.zeros((*WORK_SIZE, 3), np.uint8), np.zeros(WORK_SIZE, np.uint8)
    for one in set(perceive.values()):
        try:
            for _ in range(WARM_UPS):
                one([image], [None], [road])
        except SemcomError:
            continue
