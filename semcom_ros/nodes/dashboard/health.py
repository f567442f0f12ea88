# SPDX-License-Identifier: Apache-2.0
"""What every node of the domain says of itself, and which of them have fallen silent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.node import Node

from semcom_ros.nodes.dashboard.taps import Tap

SILENT_S = 3.0
"""A node that has said nothing for so long has gone, or hangs: each speaks once a second."""


@dataclass
class Report:
    """The last status of a node, and when it came (monotonic, s)."""

    at: float = 0.0
    level: bytes = DiagnosticStatus.OK
    sentence: str = ""
    values: dict[str, str] = field(default_factory=dict)

    @property
    def silence_s(self) -> float:
        """How long the node has said nothing, 0 where that is usual."""
        silence = time.monotonic() - self.at
        return silence if silence > SILENT_S else 0.0

    def alert(self, name: str) -> str:
        """What is wrong with the node, "" where nothing is."""
        if self.silence_s:
            return f"{name} has said nothing for {self.silence_s:.0f} s: it has gone, or hangs"
        return f"{name}: {self.sentence}" if self.level != DiagnosticStatus.OK else ""


class Health:
    """Reports by vehicle and node, from `/diagnostics`, until it is closed."""

    def __init__(self, node: Node) -> None:
        self._tap = Tap(node, DiagnosticArray, "/diagnostics", 100)
        self._reports: dict[str, dict[str, Report]] = {}

    def take(self) -> None:
        """Hear what was said since the last call."""
        for message, _ in self._tap.take():
            for status in message.status:
                if status.hardware_id == "semcom_ros":
                    vehicle, _, name = status.name.rpartition("/")
                    # A node that serves many says so of each, and which node it is.
                    name = "rsu_node" if name == "rsu" else name
                    values = {pair.key: pair.value for pair in status.values}
                    told = Report(time.monotonic(), status.level, status.message, values)
                    self._reports.setdefault(vehicle, {})[name] = told

    def of(self, vehicle: str) -> dict[str, Report]:
        """The reports of the nodes in a vehicle's namespace, by their names."""
        return self._reports.get(vehicle, {})

    def close(self) -> None:
        """Listen no more."""
        self._tap.close()
