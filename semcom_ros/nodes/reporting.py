# SPDX-License-Identifier: Apache-2.0
"""What a node says: its status, its complaints, and how it is with what comes to it."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.clock import Clock, JumpThreshold
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.publisher import Publisher
from rclpy.timer import Timer
from std_msgs.msg import Header

from semcom_ros.errors import NO_CLOCK, SemcomError, printable
from semcom_ros.nodes.clock_history import ClockHistory
from semcom_ros.nodes.flow import Flow
from semcom_ros.nodes.messages import diagnostics_message, stamp_ns
from semcom_ros.nodes.statistics import Statistics
from semcom_ros.nodes.topics import TopicsNode

COMPLAIN_EVERY_S = 5.0
"""How often a frame's error is logged while it stays the same."""
REPORT_S, LOOK_S = 1.0, 0.2
"""How often a status is published, and how soon a warning."""
CLOCK_S = 2.0
"""How long a node may be up before /clock has been found."""
MAX_COMPLAINTS = 100
"""Sentences remembered for that, and logged in that time: some quote what came over the air, and it
may be anything."""


class Counting(Protocol):
    """Who counts what goes wrong: a node, or a vehicle that it serves."""

    statistics: Statistics
    flow: Flow


class ReportingNode(TopicsNode):
    """A node that tells the truth about itself within a second.

    working: the sentence while all is well. takes: what comes to it, in one word, and goes through
    `self.flow`, by which it warns.
    """

    working, takes = "working", "message"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.statistics = Statistics()
        self._complaints: dict[str, float] = {}
        self._told: dict[str, tuple[float, str]] = {}
        self._shown = ClockHistory()
        tick = Duration(nanoseconds=1)
        self._ticks = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=tick, min_backward=Duration(nanoseconds=-1)),
            post_callback=lambda _: self._shown.tick(
                self.get_clock().now().nanoseconds, time.monotonic_ns()
            ),
        )
        self.watch()

    def watch(self) -> None:
        """Begin to watch what comes and what gets through."""
        self.flow, self._began = Flow(self.takes), time.monotonic()

    def values(self) -> dict[str, str]:
        """What the active node tells in its diagnostics beside its statistics."""
        return {}

    def status(self) -> tuple[bytes, str]:
        """Level and sentence of the active node; what its surroundings lack is logged, too."""
        if self._demanded and not self.subscribed:
            self.flow = Flow(self.takes)
            return DiagnosticStatus.OK, "idle: nobody listens"
        lack = self._lack()
        if lack:
            self.complain(lack)
        trouble = lack or self.trouble()
        return (DiagnosticStatus.WARN, trouble) if trouble else (DiagnosticStatus.OK, self.working)

    def trouble(self) -> str:
        """Why nothing gets through the active node, "" while something does."""
        return self.flow.trouble()

    def _lack(self) -> str:
        """What is wrong around the node: no clock, or neighbours that speak in its place."""
        up_s, simulated = time.monotonic() - self._began, self.get_parameter("use_sim_time").value
        if simulated and not self.get_clock().now().nanoseconds and up_s > CLOCK_S:
            return NO_CLOCK
        for topic in dict.fromkeys(s.topic_name for s in self.subscriptions):
            if topic == "/clock" or self.count_publishers(topic) < 2:
                continue
            found = self.get_publishers_info_by_topic(topic)
            names = sorted(f"{one.node_namespace.rstrip('/')}/{one.node_name}" for one in found)
            killed = "" if len({*names}) == len(names) else "; one that was killed is seen for 20 s"
            who = f"{', '.join(names)}{killed}"
            return f"two vehicles publish on {topic}: give each a namespace (found: {who})"
        return ""

    def complain(self, sentence: str) -> None:
        """Log a warning about one frame on one line."""
        self.warn(printable(sentence))

    def fail_frame(
        self, error: BaseException, count: str = "errors", of: Counting | None = None
    ) -> None:
        """Count and log the error of one frame, by default the node's: a user's as its sentence,
        ours in full."""
        whose: Counting = of or self
        whose.statistics.count(count)
        whose.flow.refused("failed", printable(str(error)))
        self.warn(in_full(error))

    def warn(self, text: str) -> None:
        """Log a warning as it is, seldom while only the numbers in it change."""
        now, about = time.monotonic(), _about(text)
        if now - self._complaints.get(about, -COMPLAIN_EVERY_S) < COMPLAIN_EVERY_S:
            return
        if len(self._complaints) >= MAX_COMPLAINTS:
            seen = dict(self._complaints).items()
            self._complaints = {it: then for it, then in seen if now - then < COMPLAIN_EVERY_S}
            if len(self._complaints) >= MAX_COMPLAINTS:
                return
        self._complaints[about] = now
        self.get_logger().warning(text)

    def is_news(self, sentence: str, urgent: bool, part: str = "") -> bool:
        """Whether a status of the node, or of a part of it, is to be told: the last one told is
        old, or it is urgent and another than a look ago, but for the numbers in it."""
        now, about = time.monotonic(), _about(sentence)
        then, before = self._told.setdefault(part, (now, about))
        news = urgent and about != before or now - then >= REPORT_S - LOOK_S / 2
        self._told[part] = (now if news else then, about)
        return news

    def forget_news(self, of: str) -> None:
        """Nothing more will be told of a part, nor of its parts."""
        self._told = {part: at for part, at in self._told.items() if not part.startswith(of)}

    def tell(
        self, at: Publisher, level: bytes, sentence: str, values: dict[str, str], part: str = "",
        of: str = "",
    ) -> None:  # fmt: skip
        """Publish a status of the node, or of what `of` names, or of a part of it."""
        at.publish(self.status_message(level, sentence, values, part, of))

    def status_message(
        self, level: bytes, sentence: str, values: dict[str, str], part: str = "", of: str = ""
    ) -> DiagnosticArray:
        """A status of the node, or of what `of` names, or of a part of it."""
        header = Header(stamp=self.get_clock().now().to_msg())
        name = (of or self.get_fully_qualified_name()) + part
        told = {key: printable(value) for key, value in values.items()}
        return diagnostics_message(header, name, level, printable(sentence), told)

    def steady_timer(self, period_s: float, callback: Callable[[], None]) -> Timer:
        """A timer that neither a simulation nor a correction of the time can stop."""
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        return self.create_timer(period_s, callback, clock=clock)

    def age_s(self, header: Header) -> float:
        """Seconds since the stamp of `header`; those of the steady clock where /clock tells the
        time, which goes by steps and at a pace of its own."""
        if not self.get_parameter("use_sim_time").value:
            return (self.get_clock().now().nanoseconds - stamp_ns(header)) / 1e9
        now = time.monotonic_ns()
        return (now - (self._shown.reached(stamp_ns(header)) or now)) / 1e9

    def destroy_node(self) -> None:
        self._ticks.unregister()
        super().destroy_node()  # type: ignore[no-untyped-call]


def in_full(error: BaseException) -> str:
    """A user's error as its sentence, ours with where it was raised and what led to it.

    What others may have said in it is escaped."""
    if isinstance(error, SemcomError):
        return str(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f"{in_full(cause)}\nwhich led to:\n" if cause else ""
    where = "".join(traceback.format_tb(error.__traceback__))
    return f"{before}{where}{type(error).__name__}: {printable(str(error))}"


def _about(sentence: str) -> str:
    """A sentence but for its numbers."""
    return re.sub(r"[\d.]+", "", sentence)
