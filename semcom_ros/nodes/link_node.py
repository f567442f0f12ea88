# SPDX-License-Identifier: Apache-2.0
"""The link between two hosts: payloads of vehicles to the RSU's by UDP, its reports back.

Each host has its own ROS domain. On the RSU's, one node serves many vehicles.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from semcom_ros.errors import SemcomError
from semcom_ros.link.link_report import LinkReport, read
from semcom_ros.link.peer import Peer
from semcom_ros.link.sockets import PORT, open_socket, resolve
from semcom_ros.link.udp import RsuEnd, UdpEnd, VehicleEnd
from semcom_ros.nodes.messages import diagnostics_message, payload_message, stamp_ns
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.reporting import LOOK_S
from semcom_ros.nodes.topics import reliable
from semcom_ros.payload import Payload

ANSWER_S = 3.0
"""How long an RSU may be silent before that is told."""
MOST_HELD = 256
"""What came by UDP and waits to be published; beyond it the oldest is dropped."""


class LinkNode(SemcomNode):
    """role vehicle: its payloads to the RSU's host, `rsu/link` from there. role rsu: the same from
    the other side, in the namespace `/vehicle_<number>` of every vehicle that sends."""

    executable, working, takes = "link_node", "linking", "payload"

    def __init__(self) -> None:
        super().__init__()
        self._end: UdpEnd | None = None
        self._came = deque[Callable[[], None]](maxlen=MOST_HELD)
        self._vehicles: dict[int, tuple[Publisher, Subscription]] = {}

    def setup(self) -> None:
        s = self.settings
        if s.role == "rsu":
            made = open_socket(s.bind or f":{PORT}", s.dscp)
            bounds, take = (
                (s.peer_kbps, s.most_vehicles),
                partial(self._soon, self._publish_payload),
            )
            self._end = RsuEnd(made, s.link_kbps, self.fail_frame, *bounds, take)
            return
        if not s.peer:
            raise SemcomError(
                "peer is empty: name where the RSU's link_node is, as in peer:=192.0.2.7:"
                f"{PORT}, or let role be rsu."
            )
        family, to = resolve(s.peer, "peer")
        made = open_socket(s.bind or ":0", s.dscp, family)
        take = partial(self._soon, self._publish_report)
        self._end = VehicleEnd(made, s.link_kbps, self.fail_frame, to, take)
        self._reports = self.publisher(DiagnosticArray, "rsu/link")

    def start(self) -> None:
        # What comes by UDP is published by the thread that makes and drops what it is published on.
        self._wake = self.create_guard_condition(self._hand_over)
        self.ends.callback(self.destroy_guard_condition, self._wake)
        self.ends.callback(self._forget, set())
        self.ends.callback(self.destroy_timer, self.steady_timer(LOOK_S, self._forget_silent))
        self._end.start()
        self.ends.callback(self._end.stop)

    def listen(self) -> None:
        if self.settings.role == "rsu":
            return
        if self.settings.with_channel:
            self.subscribe(
                CompressedImage, "camera/image_raw/semcom/received", self._on_payload, reliable()
            )
        else:
            self.subscribe(CompressedImage, "camera/image_raw/semcom", self._on_payload, reliable())

    def free(self) -> None:
        if self._end is not None:
            self._end.close()
        self._end = None

    def status(self) -> tuple[bytes, str]:
        level, sentence = super().status()
        if self.settings.role == "vehicle":
            (rsu,) = self._end.peers()
            silent_s = time.monotonic() - max(rsu.heard_s, self._began)
            if silent_s > ANSWER_S:
                why = f" ({self._end.trouble})" if self._end.trouble else ""
                text = f"no answer from the RSU at {self.settings.peer} for {silent_s:.0f} s{why}"
                return DiagnosticStatus.WARN, text
        return level, sentence

    def values(self) -> dict[str, str]:
        values = {name: str(n) for name, n in sorted(self._end.counts.copy().items())}
        for peer in self._end.peers():
            if peer.vehicle is not None:
                path = _path(peer).items()
                values |= {f"vehicle_{peer.vehicle}.{name}": value for name, value in path}
            elif self.settings.role == "vehicle":
                values |= _path(peer)
        return values

    def _on_payload(self, message: CompressedImage) -> None:
        self.flow.came()
        began = time.monotonic()
        self._end.send(bytes(message.data))
        trouble = self._end.trouble
        self.flow.refused("unsent", trouble) if trouble else self.flow.got_through()
        self.statistics.output(time.monotonic() - began, self.age_s(message.header))

    def _soon(self, publish: Callable[..., None], *what: object) -> None:
        self.statistics.count("dropped", len(self._came) == MOST_HELD)
        self._came.append(partial(publish, *what))
        self._wake.trigger()

    def _hand_over(self) -> None:
        while self._came:
            try:
                self._came.popleft()()
            except Exception as error:
                self.fail_frame(error)

    def _publish_report(self, data: bytes) -> None:
        """The RSU's report as it is, and beside it what this end knows of the path."""
        report = read(data)
        header = Header(stamp=Time(nanoseconds=report.stamp).to_msg())
        level = bytes([report.level])
        message = diagnostics_message(header, report.name, level, report.message, report.values)
        name = f"{self.get_fully_qualified_name()}/link"
        own = diagnostics_message(header, name, DiagnosticStatus.OK, "", _path(*self._end.peers()))
        message.status.extend(own.status)
        self._reports.publish(message)

    def _publish_payload(self, payload: Payload, data: bytes) -> None:
        began, number = time.monotonic(), payload.header.vehicle
        self.flow.came()
        if payload.header.stamp >= 2**31 * 10**9:
            raise SemcomError("A payload is stamped later than a message can be.")
        if number not in self._vehicles:
            self._vehicles[number] = self._serve(number)
        publisher, _ = self._vehicles[number]
        if not publisher.get_subscription_count():
            self.statistics.count("unheard")
            self.flow.refused("unheard", f"nobody listens to {publisher.topic_name}")
            return
        stamp = Time(nanoseconds=payload.header.stamp).to_msg()
        header = Header(stamp=stamp, frame_id=self.settings.frame_id)
        format = f"rgb8; semcom {payload.header.codec}/{payload.header.codec_version}"
        publisher.publish(payload_message(header, format, data))
        self.flow.got_through()
        self.statistics.output(time.monotonic() - began, self.age_s(header))

    def _serve(self, number: int) -> tuple[Publisher, Subscription]:
        """The topics of a vehicle. Their QoS is no parameter: parameters stay when vehicles go."""
        below, after = f"/vehicle_{number}", "" if self.settings.with_channel else "/received"
        topic = f"{below}/camera/image_raw/semcom{after}"
        return (
            self.create_publisher(CompressedImage, topic, reliable()),
            self.create_subscription(
                DiagnosticArray, f"{below}/rsu/link", partial(self._on_report, number), reliable(1)
            ),
        )

    def _on_report(self, number: int, message: DiagnosticArray) -> None:
        """Send a report to its vehicle."""
        try:
            if len(message.status) != 1:
                raise SemcomError(
                    f"A report to vehicle {number} has come by a link_node already: let each host "
                    "have a ROS_DOMAIN_ID of its own."
                )
            (one,), stamp = message.status, stamp_ns(message.header)
            values = {pair.key: pair.value for pair in one.values}
            report = LinkReport(one.name, one.level[0], stamp, one.message, values)
            self._end.send(report.pack(), number)
        except SemcomError as error:
            self.complain(str(error))

    def _forget_silent(self) -> None:
        self._forget({peer.vehicle for peer in self._end.peers()})

    def _forget(self, there: set[int | None]) -> None:
        """Drop the topics of vehicles that are not `there` any more."""
        for number in self._vehicles.keys() - there:
            publisher, subscription = self._vehicles.pop(number)
            self.destroy_publisher(publisher)
            self.destroy_subscription(subscription)


def _path(peer: Peer) -> dict[str, str]:
    """What is known of the way to `peer` and back: milliseconds, shares of datagrams lost."""
    known = {"rtt_ms": peer.rtt_ms, "datagram_loss": peer.loss_there, "loss_back": peer.loss_here}
    return {name: f"{value:.3f}" for name, value in known.items() if value is not None}


main = LinkNode.main
