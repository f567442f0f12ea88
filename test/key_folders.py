# SPDX-License-Identifier: Apache-2.0
"""Folders of keys for tests, and both sides of a link that work with them."""

from __future__ import annotations

import time
from pathlib import Path

from semcom_ros.link.guard import Guard
from semcom_ros.link.keys import KeyFolder
from semcom_ros.link.keys_command import make_street
from semcom_ros.link.sealer import Sealer

DAY = 86_400.0


class Clock:
    """A clock that tests set, s since 1970."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


def make_keys(folder: Path, *vehicles: int) -> Path:
    """A folder with an authority, an RSU and these vehicles, all valid for a day."""
    make_street(folder, *vehicles)
    return folder


def ends(folder: Path, security: str, clock: Clock, number: int = 3) -> tuple[Sealer, Guard]:
    """Vehicle and RSU of one link."""
    return (
        Sealer(security, KeyFolder(folder, clock), number),
        Guard(security, KeyFolder(folder, clock), number),
    )
