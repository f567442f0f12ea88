# SPDX-License-Identifier: Apache-2.0
"""What Fast DDS is asked for: peers that find each other soon, and room for large messages, which
it drops else where they are best-effort. Whatever profiles the user chose stay."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

PROFILES = Path(__file__).with_name("fastdds.xml")
DISCOVERY = PROFILES.with_name("fastdds_discovery.xml")
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

    The transports that the user chose stay as well.
    """
    if _chosen() or os.environ.get("FASTDDS_BUILTIN_TRANSPORTS") or not MEMORY.is_dir():
        return
    _sweep()
    if shutil.disk_usage(MEMORY).free >= NEEDED:
        os.environ |= dict.fromkeys(FILES, str(PROFILES))


def announce_often() -> None:
    """Let others find this process within a second, before rclpy begins: nodes that were killed are
    back 1.5 s sooner for it (docs/reliability.md)."""
    if not _chosen():
        os.environ |= dict.fromkeys(FILES, str(DISCOVERY))


def _chosen() -> bool:
    files = any(os.environ.get(name) for name in FILES)
    return files or any(Path().glob("DEFAULT_FAST*_PROFILES.xml"))


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
