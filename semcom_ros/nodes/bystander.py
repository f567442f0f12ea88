# SPDX-License-Identifier: Apache-2.0
"""A node beside the graph, which takes what comes while it spins and asks nodes for transitions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

LOOK_S = 0.05
"""How often it is looked whether what is waited for is so."""


class Bystander(Node):
    """Topics and services are named below `namespace`."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(name, namespace=namespace)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)
        self._asked: dict[str, Client] = {}

    def spin(self, seconds: float, until: Callable[[], Any] = lambda: False) -> bool:
        """Take what arrives during `seconds`, or `until` something is so; whether it is."""
        end = time.monotonic() + seconds
        while not (done := bool(until())) and (left := end - time.monotonic()) > 0:
            self._spinner.spin_once(timeout_sec=min(left, LOOK_S))
        return done

    def service(self, name: str, kind: type) -> Client:
        """The client of a service, the same at every call."""
        if name not in self._asked:
            self._asked[name] = self.create_client(kind, name)
        return self._asked[name]

    def lifecycle(self, node: str) -> Client:
        """Of a node's changes of state."""
        return self.service(f"{node}/change_state", ChangeState)

    def ask_to(self, node: str, transition: str) -> Future:
        """Ask a node whose lifecycle is ready to "configure" or "activate"; the result says
        `success`."""
        request = ChangeState.Request()
        request.transition.id = getattr(Transition, f"TRANSITION_{transition.upper()}")
        return self.lifecycle(node).call_async(request)


@contextmanager
def ros_context() -> Iterator[None]:
    """A ROS context for bystanders, which ends with the block; signals are the caller's."""
    rclpy.init(
        args=["--ros-args", "--disable-external-lib-logs"],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    try:
        yield
    finally:
        rclpy.try_shutdown()
