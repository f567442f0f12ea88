# SPDX-License-Identifier: Apache-2.0
"""Plays a bag of rosbag2 under its own stamps, and tells the time by it; rosbag2 is not needed.

The time is that of the recording, or the recorded `/clock`, where the bag has one: then it was
recorded while another bag or a simulation told the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain

from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from semcom_ros.datasets.bags import BagReader, Qos
from semcom_ros.datasets.bags.cameras import COMPRESSED, find_camera
from semcom_ros.errors import SemcomError
from semcom_ros.graph import CAMERA, CAMERA_INFO
from semcom_ros.nodes.fast_dds import make_room
from semcom_ros.nodes.player import PlayerNode
from semcom_ros.nodes.topics import message_type, reliable

LATE_S = 0.01
"""A message that goes out so much after its time is counted as late."""
BETWEEN_NS = 100_000_000
"""From the last message of a pass to the first of the next."""


class BagNode(PlayerNode):
    """Publishes what a bag holds, serialized as it is, and `/clock` before it.

    The pictures of its camera become `camera/image_raw` or `camera/image_raw/compressed`, its
    intrinsics `camera/camera_info`; all else keeps its name.
    """

    executable, takes = "bag_node", "message"

    def __init__(self) -> None:
        super().__init__()
        self._bag: BagReader | None = None
        self._out = dict[str, Publisher]()
        self._left_out, self._camera = list[str](), list[str]()
        self._first_ns = self._shown_ns = self._passes = 0
        self._begun = self._position_s = 0.0

    def setup(self) -> None:
        s = self.settings
        if not s.bag:
            raise SemcomError("The parameter bag names no bag: give the folder or file of one.")
        self._bag = bag = BagReader(s.bag)
        wanted = [bag.topic(name.strip()).name for name in s.bag_topics.split(",") if name.strip()]
        own = self._camera_names()
        clock = [name for name, one in bag.topics.items() if name == "/clock" and one.count]
        self._left_out, self._camera = [], []
        for name in dict.fromkeys(wanted + clock) if wanted else bag.topics:
            kind = message_type(bag.topics[name].type_name)
            if kind is None:
                self._left_out.append(name)
                continue
            called = own.get(name, name)
            self._out[name] = self.publisher(kind, called, _profile(bag.topics[name].qos))
            if called.startswith(CAMERA):
                self._camera.append(name)
        start_ns = bag.start_ns + round(1e9 * s.bag_start_s)
        first = next(bag.messages(self._out, start_ns), None)
        if first is None:
            held = f"'{s.bag}' lasts {bag.duration_s:.3f} s" if self._out else f"'{s.bag}' is empty"
            raise SemcomError(
                f"There is nothing to play from bag_start_s = {s.bag_start_s:g} on: {held}."
            )
        self._first_ns = first[1]
        if not clock:
            self.clock = self.publisher(Clock, "/clock", reliable(1))
        if self._left_out:
            left_out = ", ".join(f"{n} ({bag.topics[n].type_name})" for n in self._left_out)
            self.complain(f"Not played, for their types are not installed here: {left_out}.")

    def free(self) -> None:
        if self._bag is not None:
            self._bag.close()
        self._bag = self.clock = None
        self._out.clear()

    def values(self) -> dict[str, str]:
        return {
            "bag": self.settings.bag,
            "camera": ", ".join(self._camera),
            "position_s": f"{self._position_s:.3f}",
            "passes": str(self._passes),
            "left_out": ", ".join(self._left_out),
            "paused": str(self.settings.paused).lower(),
        }

    def play(self) -> None:
        ears = [self._out[name] for name in self._camera] or list(self._out.values())
        self.doing = f"{self.waiting} on {ears[0].topic_name}"
        if not self.settled(lambda: max(p.get_subscription_count() for p in ears), self._first_ns):
            return
        later_ns = self._passes = 0
        self._begin()
        while True:
            for name, at_ns, cdr in self._messages(later_ns):
                if not self._reached(at_ns + later_ns):
                    return
                self._position_s = (at_ns - self._first_ns) / 1e9
                self._send(name, cdr, at_ns + later_ns)
            self._passes += 1
            if self.settings.bag_repeat == "no":
                return
            again_ns = self._shown_ns + BETWEEN_NS
            # The other half is for reading. A bag of one moment is not played without a rest.
            if not self._reached(again_ns - BETWEEN_NS // 2):
                return
            if self.settings.bag_repeat == "rewind":
                self._begin()
            else:
                later_ns = again_ns - self._first_ns

    def _begin(self) -> None:
        self._begun, self._shown_ns = self._now(), 0

    def _now(self) -> float:
        """Seconds of the steady clock, without those of pauses."""
        return time.monotonic() - self.paused_s

    def _camera_names(self) -> dict[str, str]:
        """What the topics of the bag's camera are called as the vehicle's."""
        try:
            camera = find_camera(self._bag, self.settings.bag_camera)
        except SemcomError as error:
            if self.settings.bag_camera:
                raise
            self.complain(f"No camera is taken for the vehicle's. {error}")
            return {}
        name = camera.picture.removesuffix("/compressed")
        return {
            name: CAMERA,
            f"{name}/compressed": f"{CAMERA}/compressed",
            camera.picture: CAMERA
            + "/compressed" * (self._bag.topics[camera.picture].type_name == COMPRESSED),
            camera.info: CAMERA_INFO,
        }

    def _messages(self, later_ns: int) -> Iterator[tuple[str, int, bytes]]:
        """What is played in one pass, with its stamps later.

        What was latched before the start comes with it; what cannot be made later is counted.
        """
        latched = [name for name in self._out if self._bag.topics[name].qos.latched]
        before = self._bag.messages(latched, stop_ns=self._first_ns)
        for name, at_ns, cdr in chain(before, self._bag.messages(self._out, self._first_ns)):
            try:
                # Before its time has come, for that of a large picture takes a while.
                shifted = self._bag.later(name, cdr, later_ns) if later_ns else cdr
            except SemcomError as error:
                self.fail_frame(error)
            else:
                yield name, max(at_ns, self._first_ns), shifted

    def _left_s(self, at_ns: int) -> float:
        """Until it is `at_ns`; below 0 for how long it was."""
        return self._begun + (at_ns - self._first_ns) / 1e9 / self.settings.bag_rate - self._now()

    def _reached(self, at_ns: int) -> bool:
        """Wait until it is `at_ns`, and show that time; False where the node is to stop."""
        tick_s = 1 / self.settings.clock_hz
        while not self.stopped(min(self._left_s(at_ns), tick_s)):
            left = self._left_s(at_ns)
            self._show(at_ns - max(0, round(1e9 * left * self.settings.bag_rate)))
            if left <= 0:
                return True
        return False

    def _show(self, at_ns: int) -> None:
        """Let /clock show a time, where it does not yet."""
        if at_ns > self._shown_ns:
            self._shown_ns = at_ns
            self.show_time(at_ns)
            self.flow.came()
            self.flow.got_through()

    def _send(self, name: str, cdr: bytes, due_ns: int) -> None:
        began, late_s = time.monotonic(), -self._left_s(due_ns)
        if late_s > LATE_S:
            self.statistics.count("late")
        self._out[name].publish(cdr)
        self.statistics.count("sent")
        self.statistics.output(time.monotonic() - began, late_s)


def _profile(qos: Qos) -> QoSProfile:
    """A bag's quality of service as DDS takes it."""
    return QoSProfile(
        depth=qos.depth,
        history=HistoryPolicy.KEEP_ALL if qos.keep_all else HistoryPolicy.KEEP_LAST,
        reliability=(ReliabilityPolicy.RELIABLE if qos.reliable else ReliabilityPolicy.BEST_EFFORT),
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if qos.latched else DurabilityPolicy.VOLATILE),
    )


def main() -> None:
    """Entry point."""
    make_room()
    BagNode.main()
