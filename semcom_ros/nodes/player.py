# SPDX-License-Identifier: Apache-2.0
"""What nodes share that play: a thread that begins once somebody listens, and tells how it goes."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.publisher import Publisher
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from semcom_ros.nodes.flow import Flow
from semcom_ros.nodes.node_base import SemcomNode

SETTLE_S = 0.3
"""From seeing a listener to the first message: the listener has to find this node, too."""
PLAYING, PAUSED, FAILED = "playing", "paused", "stopped by an error"
STANDING_NS = 1_000_000
"""So long before what is played first does the time stand until somebody listens."""


class PlayerNode(SemcomNode):
    """A node that plays from its activation to the end of what it has.

    doing: what, for its status. waiting: what it does before it plays. period_s: from one output to
    the next, 0 where that is not known. paused_s: so long was it paused, by its parameter. clock:
    the publisher of /clock, where it tells the time.
    """

    waiting, period_s = "waiting for listeners", 0.0

    def __init__(self) -> None:
        super().__init__()
        self._stopping = threading.Event()
        self.doing, self.paused_s = self.waiting, 0.0
        self.clock: Publisher | None = None

    @abstractmethod
    def play(self) -> None:
        """Play in a thread of its own until `stopped` says that it is to stop."""

    def start(self) -> None:
        self._stopping.clear()
        self.doing = self.waiting
        thread = threading.Thread(target=self._play, name="player")
        thread.start()
        self.ends.callback(thread.join)
        self.ends.callback(self._stopping.set)

    def status(self) -> tuple[bytes, str]:
        self.working = self.doing
        if self.doing == FAILED:
            return DiagnosticStatus.ERROR, FAILED
        return super().status() if self.doing == PLAYING else (DiagnosticStatus.OK, self.doing)

    def stopped(self, seconds: float) -> bool:
        """Wait; whether the node is to stop by then, or while the drive is paused."""
        if self._stopping.wait(max(0.0, seconds)):
            return True
        if self.settings.paused:
            self.doing, began = PAUSED, time.monotonic()
            while self.settings.paused:
                if self._stopping.wait(0.05):
                    return True
            self.paused_s += time.monotonic() - began
            self._play_on()
        return False

    def show_time(self, stamp_ns: int) -> None:
        """Let /clock show `stamp_ns`, where this node tells the time."""
        if self.clock is not None:
            self.clock.publish(Clock(clock=Time(nanoseconds=stamp_ns).to_msg()))

    def settled(self, listeners: Callable[[], int], first_ns: int) -> bool:
        """Wait until as many listen as are wanted; whether the node is to play then.

        first_ns: the stamp of what is played first; until then the time stands just before it.
        """
        wanted = self.settings.wait_for_subscribers
        while listeners() < wanted:
            self.show_time(max(0, first_ns - STANDING_NS))
            if self._stopping.wait(0.05):
                return False
        if wanted and self._stopping.wait(SETTLE_S):
            return False
        self._play_on()
        return True

    def _play_on(self) -> None:
        self.flow = Flow(self.takes, self.period_s)
        self.doing = PLAYING

    def _play(self) -> None:
        try:
            self.play()
            if not self._stopping.is_set():
                self.doing = "finished"
                self.get_logger().info("The drive is finished.")
        except Exception as error:
            self.doing = FAILED
            self.fail_frame(error)
