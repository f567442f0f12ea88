# SPDX-License-Identifier: Apache-2.0
"""Room for large messages in the shared memory of Fast DDS, which drops best-effort ones else."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PROFILES = Path(__file__).with_name("fastdds.xml")
FILES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""What Fast DDS 2 and 3 read; another RMW reads neither."""
MEMORY, NEEDED = Path("/dev/shm"), 2**25
"""Free bytes of the host's shared memory from which a part of it may be taken: containers often
have 64 MiB in all, and Fast DDS does without shared memory where there is too little."""


def make_room() -> None:
    """Let this process publish large messages to best-effort listeners, before rclpy begins.

    Whatever the user chose of Fast DDS's transports and profiles stays.
    """
    chosen = any(os.environ.get(name) for name in (*FILES, "FASTDDS_BUILTIN_TRANSPORTS"))
    own = any(Path().glob("DEFAULT_FAST*_PROFILES.xml"))
    if chosen or own or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < NEEDED:
        return
    os.environ |= dict.fromkeys(FILES, str(PROFILES))
