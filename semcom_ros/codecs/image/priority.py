# SPDX-License-Identifier: Apache-2.0
"""Keeps encoders from the real-time priority that some take: it starves all else on the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TASKS = Path("/proc/self/task")


@contextmanager
def unchanged_priority() -> Iterator[None]:
    """What the body does leaves every thread's scheduling as it was, new threads' as the caller's.

    SVT-AV1 makes its own threads and the caller's SCHED_FIFO where it may: as root, in containers.
    """
    before, own = _policies(), os.sched_getscheduler(0)
    try:
        yield
    finally:
        for thread, policy in _policies().items():
            usual = before.get(thread, own)
            if policy != usual:
                with suppress(ProcessLookupError):
                    os.sched_setscheduler(thread, usual, os.sched_param(0))


def _policies() -> dict[int, int]:
    found = {}
    for task in _TASKS.iterdir():
        with suppress(ProcessLookupError):
            found[int(task.name)] = os.sched_getscheduler(int(task.name))
    return found
