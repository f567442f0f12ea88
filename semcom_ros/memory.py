# SPDX-License-Identifier: Apache-2.0
"""Makes the C library keep freed memory, so that a frame does not fault its pages in again."""

from __future__ import annotations

import ctypes

# From glibc's malloc.h; another C library has no mallopt, or ignores them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 * 2**20  # the most that glibc takes for the second
_KEPT_TOGETHER = 512 * 2**20


def keep_freed_memory() -> None:
    """Serve blocks of up to 32 MiB from memory that is kept when they are freed.

    By default glibc gives blocks of a few MiB back to the system and maps them anew. A network's
    pass does that over a thousand pages a frame: a tenth of its time where pages are dear.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_TOGETHER)
