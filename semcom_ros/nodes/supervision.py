# SPDX-License-Identifier: Apache-2.0
"""Nodes that are kept running until Ctrl-C: started anew when they end, which diagnostics tell."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Header

from semcom_ros.graph import NodeProcess
from semcom_ros.nodes.messages import diagnostics_message
from semcom_ros.nodes.processes import Processes
from semcom_ros.nodes.topics import reliable

LOOK_S, REPORT_S = 0.1, 1.0
"""How often the processes are looked at, and how seldom at least that is told."""


class Supervisor(Node):
    """Keeps `nodes` running as `processes`, and tells of it on /diagnostics and in the log."""

    def __init__(self, nodes: Sequence[NodeProcess], processes: Processes) -> None:
        super().__init__("launch", namespace=nodes[0].namespace)
        self._nodes, self._processes = nodes, processes
        self._states: dict[str, str] = {}
        self._told = -REPORT_S
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", reliable())

    def look(self) -> bool:
        """Start anew what has ended, where it is to be; whether anything runs or will."""
        states = {node.name: self._state(node) for node in self._nodes}
        for name, state in states.items():
            if state != self._states.get(name):
                self.get_logger().info(f"{name} {state}.")
        now = time.monotonic()
        if states != self._states or now - self._told >= REPORT_S:
            self._states, self._told = states, now
            header, own = Header(), self.get_fully_qualified_name()
            header.stamp = self.get_clock().now().to_msg()
            told = (f"{name} {state}" for name, state in states.items())
            troubles = [one for one in told if " ended with" in one]
            level = DiagnosticStatus.WARN if troubles else DiagnosticStatus.OK
            sentence = "; ".join(troubles) or "all nodes run"
            self._diagnostics.publish(diagnostics_message(header, own, level, sentence, states))
        return any(node.respawn or states[node.name].startswith("runs") for node in self._nodes)

    def _state(self, node: NodeProcess) -> str:
        """What is told of a node; one that has ended is started anew, where it is to be."""
        running, before = self._processes.running, self._states.get(node.name, "")
        status = running[node.name].poll()
        wait_s = self._processes.start_anew(node) if node.respawn and status is not None else 0.0
        if status is None or node.respawn and not wait_s:
            times = self._processes.restarts[node.name]
            again = f", started anew {times} times" if times else ""
            return f"runs as process {running[node.name].pid}{again}"
        if not (status or node.respawn):  # such as a window that was closed
            return "has ended"
        again = f", is started anew in {wait_s:.1f} s" if node.respawn else ""
        # What is waited for is told once, with all of its wait.
        return before if before.startswith("ended") else f"ended with status {status}{again}"


def supervise(nodes: Sequence[NodeProcess]) -> None:
    """Run `nodes` until all have ended for good, or SIGINT or SIGTERM has stopped them."""
    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    rclpy.init(
        args=["--ros-args", "--disable-external-lib-logs"],
        signal_handler_options=SignalHandlerOptions.NO,
    )
    try:
        with Processes(nodes) as processes:
            supervisor = Supervisor(nodes, processes)
            while supervisor.look() and not told.wait(LOOK_S):
                pass
            supervisor.get_logger().info("Stopping.")
        supervisor.destroy_node()
    finally:
        rclpy.try_shutdown()
