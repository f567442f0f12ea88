# SPDX-License-Identifier: Apache-2.0
"""Room for large messages in the shared memory of Fast DDS, which drops best-effort ones else."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PROFILES = Path(__file__).with_name("fastdds.xml")
SEGMENT = 2**24
"""Bytes of a process's own shared memory, as `PROFILES` says."""
FILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""What Fast DDS 2 and 3 read; another RMW reads neither."""
MEMORY, NEEDED = Path("/dev/shm"), 2 * SEGMENT
"""Free bytes of the host's shared memory from which a part of it may be taken: containers often
have 64 MiB in all, and Fast DDS does without shared memory where there is too little."""
YOUNG_S = 10.0
"""A segment may be this old before its process holds its lock."""


def make_room() -> None:
    """Let this process publish large messages to best-effort listeners, before rclpy begins.

    Whatever the user chose of Fast DDS's transports and profiles stays.
    """
    chosen = any(os.environ.get(name) for name in (*FILES, "FASTDDS_BUILTIN_TRANSPORTS"))
    if chosen or any(Path().glob("DEFAULT_FAST*_PROFILES.xml")) or not MEMORY.is_dir():
        return
    _sweep()
    if shutil.disk_usage(MEMORY).free >= NEEDED:
        os.environ |= dict.fromkeys(FILES, str(PROFILES))


def _sweep() -> None:
    """Remove what processes left that were killed: Fast DDS keeps it until the host is booted."""
    for lock in MEMORY.glob("fast*_el"):
        segment = lock.with_name(lock.name.removesuffix("_el"))
        with suppress(OSError), lock.open() as file:
            if segment.stat().st_size < SEGMENT or time.time() - lock.stat().st_mtime < YOUNG_S:
                continue
            # A process holds the lock of its segment for as long as it lives.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            segment.unlink()
            lock.unlink()
