# SPDX-License-Identifier: Apache-2.0
"""A node beside the graph: it hears what nodes tell and publish, and asks things of them."""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from semcom_ros.nodes.topics import message_type, reliable


class Status(NamedTuple):
    """What a node told at a monotonic time in seconds; level 0 is OK."""

    at: float
    level: int
    sentence: str
    values: dict[str, str]


class Observer(Node):
    """Takes what comes while it spins; topics and nodes are named below `namespace`.

    told: every status of each node, by its name and by its full one. arrived: of the topics in
    `hear`, when each message came (monotonic, s) and its stamp in ns.
    """

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(name, namespace=namespace)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._asked: dict[str, Client] = {}
        self.told: dict[str, list[Status]] = defaultdict(list)
        self.arrived: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._note, reliable(50))

    def hear(self, topic: str, kind: str) -> None:
        """Note the stamps of messages `kind`, such as sensor_msgs/msg/Image, from now on."""

        def note(data: bytes) -> None:
            seconds, nanoseconds = struct.unpack_from("<iI", data, 4)
            self.arrived[topic].append((time.monotonic(), seconds * 10**9 + nanoseconds))

        self.create_subscription(message_type(kind), topic, note, reliable(50), raw=True)

    def speak(self, topic: str, kind: str) -> Publisher:
        """A publisher of messages `kind`, once somebody listens or 10 s are over."""
        publisher = self.create_publisher(message_type(kind), topic, reliable(50))
        self.spin(10.0, publisher.get_subscription_count)
        return publisher

    def spin(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Take what arrives during `seconds`, or `until` something is so; whether it is."""
        end = time.monotonic() + seconds
        while not (done := bool(until())) and (left := end - time.monotonic()) > 0:
            self._spinner.spin_once(timeout_sec=min(left, 0.05))
        return done

    def ask(self, service: str, kind: type, request: Any) -> Future | None:
        """The answer of a service to come; None where nobody offers it now."""
        if service not in self._asked:
            self._asked[service] = self.create_client(kind, service)
        ready = self.spin(2.0, self._asked[service].service_is_ready)
        return self._asked[service].call_async(request) if ready else None

    def set(self, node: str, **values: Any) -> list[str] | None:
        """Why each of `values` was refused as a parameter, "" for those that were not; None where
        no answer came in a minute: a codec may be loaded first."""
        parameters = [Parameter(name, value=v).to_parameter_msg() for name, v in values.items()]
        request = SetParameters.Request(parameters=parameters)
        answer = self.ask(f"{node}/set_parameters", SetParameters, request)
        if answer is None or not self.spin(60.0, answer.done):
            return None
        return ["" if one.successful else one.reason for one in answer.result().results]

    def change_state(self, node: str, transition: str) -> bool:
        """Whether the node went through "configure" or another transition of its lifecycle."""
        request = ChangeState.Request()
        request.transition.id = getattr(Transition, f"TRANSITION_{transition.upper()}")
        answer = self.ask(f"{node}/change_state", ChangeState, request)
        return bool(answer and self.spin(30.0, answer.done) and answer.result().success)

    def _note(self, message: DiagnosticArray) -> None:
        for one in message.status:
            values = {pair.key: pair.value for pair in one.values}
            status = Status(time.monotonic(), one.level[0], one.message, values)
            for name in {one.name, one.name.rpartition("/")[2]}:
                self.told[name].append(status)


@contextmanager
def observing(namespace: str) -> Iterator[Observer]:
    """An `Observer` of the graph in `namespace`, in a ROS context that lasts as the block does."""
    rclpy.init(
        args=["--ros-args", "--disable-external-lib-logs"],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    try:
        observer = Observer("observer", namespace)
        yield observer
        observer.destroy_node()
    finally:
        rclpy.try_shutdown()


def discovered_s(count: int, patience_s: float) -> float:
    """Seconds until so many DDS participants of this process, begun at once, know each other's
    nodes; infinite where that takes longer than `patience_s`."""
    contexts = [rclpy.Context() for _ in range(count)]
    began, seconds = time.monotonic(), float("inf")
    try:
        for context in contexts:
            rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
        nodes = [
            rclpy.create_node(f"participant_{i}", context=one) for i, one in enumerate(contexts)
        ]
        while seconds > patience_s and time.monotonic() - began < patience_s:
            time.sleep(0.1)
            if all(len(node.get_node_names()) >= count for node in nodes):
                seconds = time.monotonic() - began
        for node in nodes:
            node.destroy_node()
    finally:
        for context in contexts:
            context.try_shutdown()
    return seconds
