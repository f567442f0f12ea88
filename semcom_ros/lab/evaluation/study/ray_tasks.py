# SPDX-License-Identifier: Apache-2.0
"""A study on a Ray cluster: a task a cell, whose files are written here, where the study began."""

from __future__ import annotations

import os
import pickle
import platform
from collections.abc import Collection
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from semcom_ros.cluster.connection import connect
from semcom_ros.errors import SemcomError
from semcom_ros.lab.evaluation.study.runner import Progress, Runner
from semcom_ros.lab.evaluation.study.workers import take_one_thread
from semcom_ros.runtime import keep_freed_memory

RETRIES = 2
"""How often a cell begins anew whose process or host was lost."""


def measure_on_ray(
    runner: Runner, address: str, progress: Progress, keys: Collection[str] | None = None
) -> None:
    """`runner.run(progress, keys)` by the cluster at `address`, whose hosts find package, models
    and data at the same places. Raises SemcomError; cells that are done stay done."""
    left = [job for job, _ in runner.left(keys)]
    if not left:
        return
    ray = connect(address)
    gpus = int(runner.readers.device != "cpu")
    study = pickle.dumps((os.getcwd(), runner.made_of))
    task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)(_measure)
    try:
        waiting = {task.remote(study, job.key, job.read()): job for job in left}
        while waiting:
            done, _ = ray.wait(list(waiting))
            for one in done:
                job = waiting.pop(one)
                job.write(ray.get(one))
                progress(f"{job.cell.data}: {job.cell.entry.title}", len(job.data))
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, SemcomError) else error from None
    except ray.exceptions.RayError as error:
        raise SemcomError(
            f"The cluster lost a part of the study for good ({type(error).__name__}): run the "
            "command again, which goes on where it stopped."
        ) from error
    finally:
        ray.shutdown()


def _measure(study: bytes, key: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The files of one cell, measured on from the `files` that there are."""
    runner, _ = _runner(study)
    job = next((job for job in runner.jobs.values() if job.key == key), None)
    if job is None:
        raise SemcomError(
            f"{platform.node()} has another package, other models or other data than the host "
            "where the study began: bring them to one state, then run the command again."
        )
    job.write(files)
    runner.run(lambda *_: None, [key])
    found = job.read()
    for name in found:
        (job.folder / name).unlink()
    return found


@cache
def _runner(study: bytes) -> tuple[Runner, TemporaryDirectory]:
    """What a process keeps from cell to cell, and the folder of its files."""
    keep_freed_memory()
    take_one_thread()
    place, (study_read, places, _, *readers) = pickle.loads(study)
    try:
        os.chdir(place)
    except OSError as error:
        raise SemcomError(
            f"{platform.node()} of the cluster cannot enter {place}, where the study began "
            f"({error.strerror}): begin it in a folder that all hosts share."
        ) from None
    folder = TemporaryDirectory(prefix="semcom_eval")
    return Runner(study_read, places, Path(folder.name), *readers), folder
