# SPDX-License-Identifier: Apache-2.0
"""What a study's scores hang on and come from: code, models, versions, command, machine.

The code is found by its imports, so that whatever a measured cell runs counts, and nothing else.
"""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

from semcom_ros import __version__
from semcom_ros.weights import commit

PACKAGE = Path(__file__).resolve().parents[3]
CELLS = "semcom_ros.lab.evaluation.study.cells"
"""Measures a cell: all that scores hang on is imported from here."""
PACKAGES = ("numpy", "scipy", "numba", "torch", "torchmetrics", "timm", "transformers", "diffusers",
            "av", "pillow", "opencv-python-headless")  # fmt: skip
"""Of which a score may hang on the version: PyAV and Pillow bring the classical codecs."""


def provenance(
    command: Sequence[str], seed: int, frames: Mapping[str, Mapping[str, int]],
    models: Iterable[Path],
) -> dict[str, Any]:  # fmt: skip
    """As it stands in `scores.json`. frames: how many by table and data; models: weights in use."""
    return {
        "command": list(command),
        "commit": commit(),
        "code": code_hash(),
        "seed": seed,
        "frames": {table: dict(of_data) for table, of_data in frames.items()},
        "models": {
            _called(path): file_hash(path) for path in sorted(set(models)) if path.is_file()
        },
        "versions": {
            "semcom_ros": __version__,
            "python": platform.python_version(),
            **versions(),
        },
        "cores": len(os.sched_getaffinity(0)),
    }


def _called(path: Path) -> str:
    """A file of weights by its name; those of checkpoints are called alike, but for the folder."""
    return "/".join(path.parts[-2:]) if (path.parent / "config.json").is_file() else path.name


@cache
def versions() -> dict[str, str | None]:
    """Of `PACKAGES`, None where one is not installed."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def file_hash(path: Path) -> str:
    """SHA-256 of a file, "" where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@cache
def code_hash(module: str = CELLS) -> str:
    """SHA-256 of the `closure` of a module, this package's or somebody else's."""
    place = Path(find_spec(module.partition(".")[0]).origin)
    folder = place.parents[1] if place.stem == "__init__" else place.parent
    return hash_of(closure(module, folder), folder)


def hash_of(files: Iterable[Path], folder: Path) -> str:
    """SHA-256 of the names within `folder` and the contents of `files`, whatever their order."""
    content = hashlib.sha256()
    for path in sorted(files):
        content.update(path.relative_to(folder).as_posix().encode())
        content.update(path.read_bytes())
    return content.hexdigest()


def closure(module: str, folder: Path) -> set[Path]:
    """Files of `module`, of all modules of its package that it needs, and of their data.

    folder: where the package lies. Needed is what a module imports, wherever in it, and what its
    texts name, as registries do: `package.module:Class`, or a package, for all modules in it. Data
    are the JSON files beside a module.
    """
    waiting, known, found = [module], set(), set()
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            new = set(_files(name, folder)) - found
            found |= new
            for path in new:
                inside = ".".join(path.parent.relative_to(folder).parts)
                waiting += _needed(path.read_bytes(), module.partition(".")[0], inside)
    return found | {data for path in found for data in path.parent.glob("*.json")}


def _files(name: str, folder: Path) -> Iterator[Path]:
    """What is run when `name` is imported, with its packages; the last part may be * for all."""
    *packages, last = name.split(".")
    if last == "*":
        yield from folder.joinpath(*packages).glob("*.py")
        return
    place = folder
    for part in (*packages, last):
        place /= part
        yield from (p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file())


@cache
def _needed(content: bytes, package: str, inside: str) -> tuple[str, ...]:
    """Full names within `package` that the text of a module `inside` imports or names."""
    full_name = re.compile(rf"({package}(?:\.\w+)+)(?:\.|:\w+)?")
    found = []
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), inside)
            found += [f"{source}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named = full_name.fullmatch(node.value)
            found += [named[1], f"{named[1]}.*"] if named else []
    return tuple(name for name in found if name.partition(".")[0] == package)
