# SPDX-License-Identifier: Apache-2.0
"""Where a study's scores come from: command, commit, models, versions, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from semcom_ros import __version__
from semcom_ros.lab.evaluation.study.cache import file_hash
from semcom_ros.lab.evaluation.study.code import PACKAGE, code_hash

PACKAGES = ("numpy", "scipy", "numba", "torch", "torchmetrics", "diffusers", "av", "pillow",
            "opencv-python-headless")  # fmt: skip
"""Of which a score may hang on the version: PyAV and Pillow bring the classical codecs."""


def provenance(
    command: Sequence[str], seed: int, frames: Mapping[str, Mapping[str, int]],
    models: Iterable[Path],
) -> dict[str, Any]:  # fmt: skip
    """As it stands in `scores.json`. frames: how many by table and data; models: weights in use."""
    return {
        "command": list(command),
        "commit": _commit(),
        "code": code_hash(),
        "seed": seed,
        "frames": {table: dict(of_data) for table, of_data in frames.items()},
        "models": {path.name: file_hash(path) for path in sorted(set(models)) if path.is_file()},
        "versions": {
            "semcom_ros": __version__,
            "python": platform.python_version(),
            **versions(),
        },
        "cores": len(os.sched_getaffinity(0)),
    }


def versions() -> dict[str, str | None]:
    """Of `PACKAGES`, None where one is not installed."""
    return {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """Of the checkout that the package runs from, "" outside one."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=PACKAGE, capture_output=True, text=True
        )
    except OSError:
        return ""
    return done.stdout.strip()
