# SPDX-License-Identifier: Apache-2.0
"""What a process must set up before it computes: device, memory, files, torchvision's operators."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import logging
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from semcom_ros.errors import SemcomError

if TYPE_CHECKING:
    import torch

F = TypeVar("F")
# From glibc's malloc.h; another C library has no mallopt, or ignores them.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 * 2**20  # the most that glibc takes for the second
_KEPT_TOGETHER = 512 * 2**20
# torchvision registers these two by name while it is imported, loaded or not.
SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def check_ros() -> None:
    """Raise SemcomError if this Python has no ROS."""
    if importlib.util.find_spec("rclpy") is None:
        raise SemcomError(
            "There is no ROS 2 for this Python: run `make setup` and then .venv/bin/semcom, "
            "or source an installed ROS 2 first."
        )


def shipped_folder(name: str) -> Path:
    """The folder `name` that ships: the checkout's, or else that in the ROS package's share."""
    checkout = Path(__file__).resolve().parent.parent / name
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    shares = (Path(prefix, "share", "semcom_ros", name) for prefix in prefixes if prefix)
    return next((found for found in (checkout, *shares) if found.is_dir()), checkout)


def check_device(device: str) -> None:
    """Raise SemcomError if torch cannot compute on `device`."""
    if device == "cpu":  # needs no look, and torch takes a second to import
        return
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


def compiled(**options: Any) -> Callable[[F], F]:
    """Decorator: numba's `njit` with `options`, whose machine code is kept for the next process.

    Other threads go on while it runs: a map is decoded while an image is painted.
    Numba keeps it in the package or the user's cache; where neither can be written, among the
    temporary files or, at worst, nowhere.
    """
    import numba

    def compile_function(function: F) -> F:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # it found no place
            os.environ["NUMBA_CACHE_DIR"] = _temporary_folder()
            numba.config.reload_config()  # type: ignore[no-untyped-call]
            return numba.njit(cache=bool(_temporary_folder()), nogil=True, **options)(function)

    return compile_function


def check_output(path: Path, is_file: bool = False) -> None:
    """Try to write at `path`, a file or a folder, or where it would be made; leaves no trace.

    Raises OSError that names `path`.
    """
    there = path
    try:
        if is_file and path.exists():
            path.open("ab").close()  # in a folder where nothing else may be made, as /dev
            return
        while not os.path.lexists(there):
            there = there.parent
        with tempfile.TemporaryFile(dir=there) as trial:
            trial.write(bytes(4096))
    except OSError as error:
        error.filename = str(path)
        raise


def find_log_folder() -> None:
    """Let ROS log among the temporary files where the user's folder of logs cannot be written."""
    # Without a home, ROS does not start; below a file nobody can write.
    of_user = f"{os.environ.get('HOME') or '/dev/null'}/.ros"
    folder = os.environ.get("ROS_LOG_DIR") or f"{os.environ.get('ROS_HOME') or of_user}/log"
    try:
        check_output(Path(folder))
    except OSError:
        os.environ["ROS_LOG_DIR"] = _temporary_folder()


@functools.cache
def _temporary_folder() -> str:
    """A folder that outlasts the process and is this user's alone, "" where none can be had.

    Says that it is needed.
    """
    mine = False
    with contextlib.suppress(OSError):
        folder = Path(tempfile.gettempdir(), f"semcom_ros-{os.getuid()}")
        folder.mkdir(0o700, exist_ok=True)
        # Compiled code is run as it is found: nobody else may have put it there.
        found = folder.lstat()
        mine = (found.st_mode, found.st_uid) == (stat.S_IFDIR | 0o700, os.getuid())
    logging.getLogger(__name__).warning(
        "The home of the user cannot be written: compiled code and logs go to %s. For folders that "
        "last set HOME, or NUMBA_CACHE_DIR and ROS_LOG_DIR.",
        folder if mine else "nowhere, and compiling takes seconds at every start",
    )
    return str(folder) if mine else ""


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
