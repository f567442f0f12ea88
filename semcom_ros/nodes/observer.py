# SPDX-License-Identifier: Apache-2.0
"""What a graph tells and publishes, noted; and things asked of its nodes."""

from __future__ import annotations

import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions

from semcom_ros.nodes.bystander import Bystander, ros_context
from semcom_ros.nodes.topics import message_type, reliable

ASK_S = 2.0
"""How long it is waited for somebody who offers a service."""


class Status(NamedTuple):
    """What a node told at a monotonic time in seconds; level 0 is OK."""

    at: float
    level: int
    sentence: str
    values: dict[str, str]


class Observer(Bystander):
    """Notes what nodes tell, and sets their parameters.

    told: every status of each node, by its name and by its full one. arrived: of the topics in
    `hear`, when each message came (monotonic, s) and its stamp in ns.
    """

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(name, namespace)
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

    def set(self, node: str, **values: Any) -> list[str] | None:
        """Why each of `values` was refused as a parameter, "" for those that were not; None where
        no answer came in a minute: a codec may be loaded first."""
        parameters = [Parameter(name, value=v).to_parameter_msg() for name, v in values.items()]
        request = SetParameters.Request(parameters=parameters)
        client = self.service(f"{node}/set_parameters", SetParameters)
        if not self.spin(ASK_S, client.service_is_ready):
            return None
        answer = client.call_async(request)
        if not self.spin(60.0, answer.done):
            return None
        return ["" if one.successful else one.reason for one in answer.result().results]

    def change_state(self, node: str, transition: str) -> bool:
        """Whether the node went through "configure" or another transition of its lifecycle."""
        if not self.spin(ASK_S, self.lifecycle(node).service_is_ready):
            return False
        answer = self.ask_to(node, transition)
        return bool(self.spin(30.0, answer.done) and answer.result().success)

    def _note(self, message: DiagnosticArray) -> None:
        for one in message.status:
            values = {pair.key: pair.value for pair in one.values}
            status = Status(time.monotonic(), one.level[0], one.message, values)
            for name in {one.name, one.name.rpartition("/")[2]}:
                self.told[name].append(status)


@contextmanager
def observing(namespace: str) -> Iterator[Observer]:
    """An `Observer` of the graph in `namespace`, in a ROS context that lasts as the block does."""
    with ros_context():
        observer = Observer("observer", namespace)
        yield observer
        observer.destroy_node()


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
