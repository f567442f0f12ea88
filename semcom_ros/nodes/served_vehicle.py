# SPDX-License-Identifier: Apache-2.0
"""One vehicle at the RSU: its payloads, what is published of them, and all that is told of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.lifecycle import LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header, String

from semcom_ros.codecs.base import Reading
from semcom_ros.errors import SemcomError
from semcom_ros.graph import RECEIVED
from semcom_ros.nodes.camera_places import CameraPlaces
from semcom_ros.nodes.flow import Flow
from semcom_ros.nodes.messages import link_values, stamp_ns
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.rsu_outputs import RsuOutputs
from semcom_ros.nodes.statistics import Statistics
from semcom_ros.nodes.topics import TOGETHER, Listener, reliable
from semcom_ros.payload import PayloadError
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.receiver import Arrival, Receiver

if TYPE_CHECKING:
    from semcom_ros.link.guard import Guard

GONE_S = 5.0
"""A vehicle that was found has gone when for so long nobody has published and nothing has come."""


class Came(NamedTuple):
    """With what header a payload came, and whose it is."""

    header: Header
    vehicle: ServedVehicle


class ServedVehicle:
    """A vehicle that `node` serves.

    namespace: of its topics; "" for the only one of a node, in whose own they are, and whose
    statistics are the node's. asked: what it is asked for. passing: it was found, and will go.
    guard: signs what it is told.
    """

    def __init__(
        self,
        node: SemcomNode,
        namespace: str,
        receiver: Receiver,
        asked: Reading,
        places: CameraPlaces,
        passing: bool = False,
        guard: Guard | None = None,
    ) -> None:
        self.node, self.namespace, self.receiver, self._guard = node, namespace, receiver, guard
        self.asked, self.words, self.passing = asked, "", passing
        self.statistics = Statistics(node.statistics) if namespace else node.statistics
        self.flow = node.flow
        self._places = places
        self._name = f"{namespace}/rsu" if namespace else ""
        base = node.settings.base_frame
        self._base = f"{namespace[1:]}/{base}" if namespace else base
        self._publishers: list[LifecyclePublisher] = []
        self._listeners: list[Listener] = []
        self._received, self._reported_at = 0, 0.0
        self._heard_at = time.monotonic()
        self.outputs = RsuOutputs(self, lambda error: self.fail(error, "unseen"))
        self._link_report = self.publisher(DiagnosticArray, "rsu/link")

    def publisher(
        self, kind: type, topic: str, profile: QoSProfile | None = None
    ) -> LifecyclePublisher:
        """On a topic of the vehicle; silent unless the node is active."""
        made = self.node.publisher(kind, self._named(topic), profile, passing=self.passing)
        self._publishers.append(made)
        return made

    def subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[..., object],
        profile: QoSProfile,
        together: bool = False,
    ) -> None:
        """Listen to a topic of the vehicle while the node is active."""
        how = {"together": together, "passing": self.passing}
        made = self.node.subscribe(kind, self._named(topic), callback, profile, **how)
        self._listeners.append(made)

    def start(self) -> None:
        """Begin anew with what is told of it; the node is about to be active."""
        self.flow = Flow(self.node.takes) if self.namespace else self.node.flow
        now = self.node.get_clock().now()
        self.outputs.announce(Header(stamp=now.to_msg()))
        self._received = self.receiver.counters.snapshot()["received"]
        self._reported_at = self._heard_at = time.monotonic()
        self.receiver.link_state(now.nanoseconds)

    def listen(
        self,
        put: Callable[[Arrival], None],
        take_task: Callable[[ServedVehicle, str], Awaitable[None]],
    ) -> None:
        """Let what is admitted go to `put`, and what a planner asks for in words to `take_task`."""

        async def on_task(message: String) -> None:
            await take_task(self, message.data)

        self._put, self._listeners = put, []
        # What a delay let out all at once is judged packet by packet, so that none goes uncounted.
        self.subscribe(
            CompressedImage, "camera/image_raw/semcom/received", self._on_payload,
            reliable(TOGETHER), together=True,
        )  # fmt: skip
        self.subscribe(String, "rsu/task", on_task, reliable(1))

    def has_gone(self) -> bool:
        """Whether it was found, is heard of no more, and nothing of it is at work."""
        if not self.passing:
            return False
        now = time.monotonic()
        if self.node.count_publishers(self._named(RECEIVED)):
            self._heard_at = now
        silent = now - self._heard_at > GONE_S
        return silent and not self.receiver.counters.snapshot()["in_flight"]

    def close(self) -> None:
        """Let go of its topics, and of what was told of it."""
        self.node.drop(self._publishers, self._listeners)
        self.node.forget_news(self._name)
        self._places.forget(self._base)

    def deliver(self, arrival: Arrival, seen: Percepts, last: bool) -> None:
        """Publish what is known of a frame by now, and say what went wrong."""
        header = arrival.context.header
        if arrival.seen is None and seen.error is None:
            self.outputs.publish_camera(header, arrival.camera)
            if arrival.source_camera is not None:
                self._places.place(header, self._base, arrival.source_camera.mounting)
        self.outputs.publish(header, seen, arrival.seen, last)
        for remark in seen.remarks:
            self.complain(remark)
        for failure in seen.failures:
            self.fail(failure, "unseen")
        if seen.unplaced:
            self.statistics.count("unplaced", seen.unplaced)
        if seen.error is not None:
            if seen.error.__cause__ is not None:
                self.fail(seen.error.__cause__)
            else:
                self._refuse(seen.error)
            return
        self.flow.got_through()
        if last and self.asked.instruction not in ("", arrival.payload.header.task):
            self.statistics.count("other_task")
        if last:
            self.statistics.output(time.monotonic() - arrival.at, self.node.age_s(header))

    def complain(self, sentence: str) -> None:
        """Log a warning about one frame, and whose it is."""
        self.node.complain(f"{self.namespace}: {sentence}" if self.namespace else sentence)

    def fail(self, error: BaseException, count: str = "errors") -> None:
        """Count and log the error of one frame."""
        self.node.fail_frame(error, count, self)

    def report_link(self) -> None:
        """What the radio did since the last report, for the vehicle to act on."""
        trouble = self.flow.trouble()
        level = DiagnosticStatus.WARN if trouble else DiagnosticStatus.OK
        asks = "asking for a frame that stands alone" if self.receiver.lacking else ""
        asks = (self._guard.news if self._guard else "") or asks
        sentence = trouble or asks or "receiving"
        if not self.node.is_news(asks or sentence, bool(trouble or asks), f"{self._name}/link"):
            return
        received = self.receiver.counters.snapshot()["received"]
        came, self._received = received - self._received, received
        seconds, self._reported_at = time.monotonic() - self._reported_at, time.monotonic()
        values = {"rate_hz": f"{came / seconds:.2f}"}
        state = self.receiver.link_state(self.node.get_clock().now().nanoseconds)
        values |= link_values(state, self.asked.instruction)
        if self._guard:
            try:
                values = self._guard.report(values)
            except SemcomError as error:
                self.complain(str(error))
        self.node.tell(self._link_report, level, sentence, values, "/link", self._name)

    def news(self) -> list[DiagnosticStatus]:
        """Its status, if that is due or urgent; the node's own has that of an only vehicle."""
        trouble = self.flow.trouble()
        sentence = trouble or self.node.working
        if not self.namespace or not self.node.is_news(sentence, bool(trouble), self._name):
            return []
        level = DiagnosticStatus.WARN if trouble else DiagnosticStatus.OK
        books = {name: str(n) for name, n in self.books().items()}
        own = {"node": self.node.get_fully_qualified_name(), "codec": self.receiver.name}
        values = self.statistics.snapshot() | books | reading_values(self.asked) | own
        return self.node.status_message(level, sentence, values, of=self._name).status

    def books(self) -> dict[str, int]:
        """What became of its payloads."""
        books = self.receiver.counters.books()
        if self._guard:
            books["in_session"] = self._guard.in_session
            books["unauthenticated_symbols"] = self._guard.symbols
        return books

    def _named(self, topic: str) -> str:
        return f"{self.namespace}/{topic}" if self.namespace else topic

    def _on_payload(self, message: CompressedImage) -> None:
        self._heard_at, now = time.monotonic(), self.node.get_clock().now().nanoseconds
        self.flow.came()
        came, stamp = Came(message.header, self), stamp_ns(message.header)
        try:
            arrival = self.receiver.receive(bytes(message.data), now, came, stamp)
        except PayloadError as error:
            self._refuse(error)
            return
        self._put(arrival)

    def _refuse(self, error: PayloadError) -> None:
        self.flow.refused(error.reason, str(error))
        self.complain(str(error))


def reading_values(asked: Reading) -> dict[str, str]:
    """What is asked for, as diagnostics tell it."""
    task, score, margin = asked
    return {"task": task, "task_score": f"{score:.2f}", "task_margin": f"{margin:.2f}"}
