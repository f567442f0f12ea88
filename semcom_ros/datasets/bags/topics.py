# SPDX-License-Identifier: Apache-2.0
"""What a bag says of its topics: type, quality of service, how many messages from when to when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from rosbags import interfaces as rosbags

_FOREVER = rosbags.QosTime(9223372036, 854775807)
"""What rosbag2 writes for a duration without end."""


@dataclass(frozen=True)
class Qos:
    """The quality of service that a topic was offered with.

    latched: the last `depth` messages are kept for those who come later (transient_local).
    keep_all: `depth` does not count. Deadline and lifespan are endless, liveliness is automatic: a
    recorded one that is not says nothing of who plays it again.
    """

    reliable: bool = True
    latched: bool = False
    depth: int = 5
    keep_all: bool = False

    def __str__(self) -> str:
        words = "reliable" if self.reliable else "best effort"
        return f"{words}{', latched' * self.latched}, {'all' if self.keep_all else self.depth}"

    @property
    def recorded(self) -> rosbags.Qos:
        """All nine keys, as rosbag2 writes them."""
        history = "KEEP_ALL" if self.keep_all else "KEEP_LAST"
        reliability = "RELIABLE" if self.reliable else "BEST_EFFORT"
        durability = "TRANSIENT_LOCAL" if self.latched else "VOLATILE"
        return rosbags.Qos(
            rosbags.QosHistory[history], self.depth, rosbags.QosReliability[reliability],
            rosbags.QosDurability[durability], _FOREVER, _FOREVER, rosbags.QosLiveliness.AUTOMATIC,
            _FOREVER, avoid_ros_namespace_conventions=False,
        )  # fmt: skip


def qos_of(recorded: Iterable[rosbags.Qos], topic: str) -> Qos:
    """What all publishers of a `topic` together kept to; where none is recorded, what is usual.

    DDS does not tell a recorder of history and depth, which then are unknown and 0: ten, as
    rosbag2's own player has it. What several latch is kept of all of them, as on /tf_static.
    """
    found = list(recorded)
    if not found:
        return Qos(latched=topic.endswith("/tf_static"))
    latched = all(one.durability == rosbags.QosDurability.TRANSIENT_LOCAL for one in found)
    depths = [one.depth or 10 for one in found]
    return Qos(
        all(one.reliability != rosbags.QosReliability.BEST_EFFORT for one in found),
        latched,
        sum(depths) if latched else max(depths),
        any(one.history == rosbags.QosHistory.KEEP_ALL for one in found),
    )


@dataclass(frozen=True)
class Topic:
    """One topic of a bag.

    type_name: such as sensor_msgs/msg/Image. count: of its messages. first_ns, last_ns: their
    stamps in the bag, ns since the epoch; None where not looked at, or without any.
    """

    name: str
    type_name: str
    qos: Qos
    count: int = 0
    first_ns: int | None = None
    last_ns: int | None = None

    @property
    def rate_hz(self) -> float:
        """Messages a second between the first and the last; 0 where there is no time between."""
        lasted = (self.last_ns or 0) - (self.first_ns or 0)
        return (self.count - 1) * 1e9 / lasted if lasted > 0 else 0.0


def table_text(topics: Iterable[Topic]) -> str:
    """A line a topic: type, messages, rate, first and last stamp in UTC, quality of service."""
    rows: list[tuple[str, ...]] = [("topic", "type", "messages", "Hz", "first", "last", "QoS")]
    for one in topics:
        rate = f"{one.rate_hz:.2f}" if one.rate_hz else "-"
        when = [_utc(stamp) for stamp in (one.first_ns, one.last_ns)]
        rows.append((one.name, one.type_name, str(one.count), rate, *when, str(one.qos)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _utc(stamp_ns: int | None) -> str:
    if stamp_ns is None:
        return "-"
    seconds, rest = divmod(stamp_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 10**6:03d}"
