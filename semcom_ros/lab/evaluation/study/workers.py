# SPDX-License-Identifier: Apache-2.0
"""A study on several cores: each process measures whole systems, on one core, into the cache."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.backbones import Backbones
from semcom_ros.lab.evaluation.study.cache import Cache
from semcom_ros.lab.evaluation.study.readers import Readers
from semcom_ros.lab.evaluation.study.runner import Progress, Runner
from semcom_ros.lab.evaluation.study.study_file import Study
from semcom_ros.runtime import keep_freed_memory

WORTH = 200
"""Frames left for which a further process is worth the seconds that it takes to start."""
PATIENCE_S = 0.2
"""Between two looks at what the processes tell."""


class Setup(NamedTuple):
    """What `Runner` is made of, as it is told to another process."""

    study: Study
    places: dict[str, str]
    cache: Path
    judge: Path
    backbones: Path | None

    def runner(self) -> Runner:
        """A runner of its own: nothing is loaded that it has not asked for."""
        return Runner(
            self.study, self.places, Cache(self.cache), Readers(self.judge),
            Backbones(self.backbones),
        )  # fmt: skip


def workers_for(runner: Runner) -> int:
    """Processes for what is left: one a core at most, and one for few frames."""
    frames = sum(len(job.data) for job, _ in runner.left())
    return max(1, min(len(os.sched_getaffinity(0)), frames // WORTH))


def measure_apart(setup: Setup, runner: Runner, workers: int, progress: Progress) -> None:
    """`runner.run(progress)` by `workers` processes. Raises SemcomError; all of them stop then."""
    context = multiprocessing.get_context("spawn")
    told, stop = context.SimpleQueue(), context.Event()
    groups = runner.groups()
    with ProcessPoolExecutor(
        min(workers, len(groups)) or 1, context, _begin, (setup, told, stop)
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


class _Here:
    """What one process keeps from group to group."""

    runner: Runner
    told: Any
    stop: Any


def take_one_thread() -> None:
    """Let networks and OpenCV compute on one thread here, so that no score hangs on how many.

    Cores are shared out among processes, which need not wait for one another.
    """
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _begin(setup: Setup, told: Any, stop: Any) -> None:
    keep_freed_memory()
    take_one_thread()
    _Here.runner, _Here.told, _Here.stop = setup.runner(), told, stop


def _measure(keys: list[str]) -> None:
    def tell(name: str, frames: int) -> None:
        if _Here.stop.is_set():
            raise SemcomError("Stopped, because another part of the study was.")
        _Here.told.put((name, frames))

    runner = _Here.runner
    if not {job.key for job, _ in runner.left()}.issuperset(keys):
        raise SemcomError(
            "The package, its models or the data changed while the study ran: run the command "
            "again, which measures anew what that concerns."
        )
    runner.run(tell, keys)
