# SPDX-License-Identifier: Apache-2.0
"""A study on several cores: each process measures whole systems, on one core, into their files."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.runner import Progress, Runner
from semcom_ros.runtime import keep_freed_memory

WORTH = 200
"""Frames left for which a further process is worth the seconds that it takes to start."""
PATIENCE_S = 0.2
"""Between two looks at what the processes tell."""


def workers_for(runner: Runner, keys: Collection[str] | None = None) -> int:
    """Processes for what is left, or of that the cells `keys`: one a core at most, and one for few
    frames."""
    frames = sum(len(job.data) for job, _ in runner.left(keys))
    return max(1, min(len(os.sched_getaffinity(0)), frames // WORTH))


def measure_apart(
    runner: Runner, workers: int, progress: Progress, keys: Collection[str] | None = None
) -> None:
    """`runner.run(progress, keys)` by `workers` processes. Raises SemcomError; all stop then."""
    context = multiprocessing.get_context("spawn")
    told, stop = context.SimpleQueue(), context.Event()
    groups = [[job.key for job, _ in group] for group in runner.groups(keys)]
    with ProcessPoolExecutor(
        min(workers, len(groups)) or 1, context, _begin, (runner.made_of, told, stop)
    ) as pool:
        waiting = {pool.submit(_measure, keys) for keys in groups}
        try:
            while waiting:
                done, waiting = wait(waiting, PATIENCE_S, FIRST_COMPLETED)
                while not told.empty():
                    progress(*told.get())
                for one in done:
                    one.result()
        except BrokenProcessPool as error:
            raise SemcomError(
                "A process that measured the study was ended, perhaps for want of memory: run the "
                "command again, which goes on where it stopped, with fewer --workers."
            ) from error
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)


def take_one_thread() -> None:
    """Let networks and OpenCV compute on one thread here, so that no score hangs on how many.

    Cores are shared out among processes, which need not wait for one another.
    """
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


class _Here:
    """What one process keeps from group to group."""

    runner: Runner
    told: Any
    stop: Any


def _begin(made_of: tuple, told: Any, stop: Any) -> None:
    keep_freed_memory()
    take_one_thread()
    _Here.runner, _Here.told, _Here.stop = Runner(*made_of), told, stop


def _measure(keys: list[str]) -> None:
    def tell(name: str, frames: int) -> None:
        if _Here.stop.is_set():
            raise SemcomError("Stopped, because another part of the study was.")
        _Here.told.put((name, frames))

    if len(_Here.runner.left(keys)) < len(keys):
        raise SemcomError(
            "The package, its models or the data changed while the study ran: run the command "
            "again, which measures anew what that concerns."
        )
    _Here.runner.run(tell, keys)
