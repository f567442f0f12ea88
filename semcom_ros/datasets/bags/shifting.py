# SPDX-License-Identifier: Apache-2.0
"""Messages of a bag that is played again: the same, but later."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

TIMES = {"std_msgs/msg/Header": "stamp", "rosgraph_msgs/msg/Clock": "clock"}
"""By the type of a message: its field that says when it is."""


def shift_stamps(message: Any, by_ns: int) -> None:
    """Make every header in `message`, as a bag reads it, later by `by_ns`, and what a clock shows;
    stamps of 0 stay."""
    if message.__msgtype__ in TIMES:
        stamp = getattr(message, TIMES[message.__msgtype__])
        if stamp.sec or stamp.nanosec:
            later = stamp.sec * 10**9 + stamp.nanosec + by_ns
            stamp.sec, stamp.nanosec = divmod(later, 10**9)
        return
    for field in fields(message):
        value = getattr(message, field.name)
        for inner in value if isinstance(value, list) else (value,):
            if is_dataclass(inner):
                shift_stamps(inner, by_ns)
