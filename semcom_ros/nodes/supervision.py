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
        states, troubles = {}, []
        for node in self._nodes:
            process, before = self._processes.running[node.name], self._states.get(node.name, "")
            state, status = f"runs as process {process.pid}", process.poll()
            if status is not None:
                wait_s = self._processes.start_anew(node) if node.respawn else 0.0
                again = f", is started anew in {wait_s:.1f} s" if wait_s else ""
                # What is waited for is told once, with all of its wait.
                told = before if before.startswith("ended") else ""
                state = told or f"ended with status {status}{again}"
                if status or again:
                    troubles.append(f"{node.name} {state}")
            # rclpy takes one severity from one line of code.
            if state != before and status:
                self.get_logger().warning(f"{node.name} {state}.")
            elif state != before:
                self.get_logger().info(f"{node.name} {state}.")
            states[node.name] = state
        now = time.monotonic()
        if states != self._states or now - self._told >= REPORT_S:
            self._states, self._told = states, now
            self._report(troubles)
        return any(node.respawn or "runs" in states[node.name] for node in self._nodes)

    def _report(self, troubles: list[str]) -> None:
        level = DiagnosticStatus.WARN if troubles else DiagnosticStatus.OK
        values = {
            name: f"{state}, started anew {times} times"
            if (times := self._processes.restarts[name])
            else state
            for name, state in self._states.items()
        }
        self._diagnostics.publish(
            diagnostics_message(
                Header(stamp=self.get_clock().now().to_msg()),
                self.get_fully_qualified_name(),
                level,
                "; ".join(troubles) or "all nodes run",
                values,
            )
        )


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
