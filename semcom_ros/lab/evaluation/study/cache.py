# SPDX-License-Identifier: Apache-2.0
"""Cells on disk: what has been measured once is not measured again, and a stopped study goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from semcom_ros.lab.evaluation.study.code import code_hash
from semcom_ros.lab.evaluation.study.pools import Score

STRIPS = "semcom_ros.lab.evaluation.study.contact_sheet"
"""Draws the pictures of a cell."""


class Cache:
    """`<folder>/<key>.json` holds the scores of one cell, by metric."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, key: str) -> dict[str, Score]:
        """What is known of the cell so far; nothing where its file is missing or damaged."""
        try:
            content = json.loads(self._path(key).read_text())["scores"]
            return {
                name: Score(s["value"], s["n"], tuple(s["ci95"]) if s["ci95"] else None)
                for name, s in content.items()
            }
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def store(self, key: str, identity: Mapping[str, Any], scores: Mapping[str, Score]) -> None:
        """Add `scores` to the cell, at once or not at all; `identity` says what it is."""
        merged = {**self.load(key), **scores}
        content = {
            "cell": identity,
            "scores": {name: score._asdict() for name, score in sorted(merged.items())},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self._path(key).with_suffix(".part")
        draft.write_text(json.dumps(content, indent=1) + "\n")
        os.replace(draft, self._path(key))

    def picture(self, key: str, index: int) -> Path:
        """Where the strip of frame `index` of the cell lies, as it is drawn now."""
        return self.folder / f"{key}-{index}-{code_hash(STRIPS)[:8]}.png"

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def key_of(identity: Mapping[str, Any]) -> str:
    """The cell's name: a hash of everything that its scores hang on."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def file_hash(path: Path) -> str:
    """SHA-256 of a file, "" where there is none."""
    if not path.is_file():
        return ""
    about = path.stat()
    return _hash(path, about.st_mtime_ns, about.st_size)


@cache
def _hash(path: Path, *version: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
