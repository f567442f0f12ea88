# SPDX-License-Identifier: Apache-2.0
"""What a process must set up before networks run in it: device, memory, torchvision's operators."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from semcom_ros.errors import SemcomError

if TYPE_CHECKING:
    import torch

# From glibc's malloc.h; another C library has no mallopt, or ignores them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 * 2**20  # the most that glibc takes for the second
_KEPT_TOGETHER = 512 * 2**20
# torchvision registers these two by name while it is imported, loaded or not.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def check_device(device: str) -> None:
    """Raise SemcomError if torch cannot compute on `device`."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SemcomError(
            f"The device '{device}' cannot be used: {reason}. Set device to cpu."
        ) from error


def keep_freed_memory() -> None:
    """Serve blocks of up to 32 MiB from memory that is kept when they are freed.

    By default glibc gives blocks of a few MiB back to the system and maps them anew. A network's
    pass does that over a thousand pages a frame: a tenth of its time where pages are dear.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_TOGETHER)


@functools.cache
def declare_operators() -> torch.library.Library | None:
    """Call this before `import timm`: makes `import torchvision` pass beside a CPU build of torch.

    Returns the declarations, which last as long as this object (so it is cached), or None where
    torchvision's own operators load and nothing is needed. The declared ones cannot be called.
    """
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        torch.ops.load_library(str(Path(spec.origin).with_name("_C.so")))
    except OSError:
        library = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        return library
    return None
