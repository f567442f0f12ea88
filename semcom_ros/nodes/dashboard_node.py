# SPDX-License-Identifier: Apache-2.0
"""A page in the browser that shows every vehicle of the domain, and sets what can be set at once.

It listens to vehicles, and makes pictures, while a page is open, and not otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

from diagnostic_msgs.msg import DiagnosticStatus

from semcom_ros.nodes.dashboard.fleet import Fleet
from semcom_ros.nodes.dashboard.pace import Pace
from semcom_ros.nodes.fast_dds import make_room
from semcom_ros.nodes.node_base import SemcomNode

NICENESS = 10
"""Of the process: who looks on does not slow down who drives."""


class DashboardNode(SemcomNode):
    """All topics of all vehicles in, none out."""

    executable = "dashboard_node"

    def __init__(self) -> None:
        super().__init__()
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.fleet = Fleet(self, self.run_soon)

    def start(self) -> None:
        # Here and not above: who never opens a page needs none of it.
        from semcom_ros.nodes.dashboard.gate import check_address
        from semcom_ros.nodes.dashboard.live import Live
        from semcom_ros.nodes.dashboard.web_server import WebServer

        s = self.settings
        check_address(s.dashboard_address, s.dashboard_token)
        self._wake = self.create_guard_condition(self._run_jobs)
        self.ends.callback(self.destroy_guard_condition, self._wake)
        self._pace = Pace(1 / s.pictures_hz)
        self._timer = self.steady_timer(self._pace.period_s, self._tick)
        self._timer.cancel()
        self.ends.callback(self.destroy_timer, self._timer)
        self.ends.callback(self.fleet.close)
        self.live = Live(lambda: self.run_soon(self._follow_pages))
        address, token = s.dashboard_address, s.dashboard_token
        server = WebServer(self.fleet, self.live, address, s.dashboard_port, token)
        self.ends.callback(server.stop)
        self.port = server.port
        host = f"[{address}]" if ":" in address else address
        brought = f"/?token={quote(token)}" if token else ""
        self.get_logger().info(f"The dashboard is at http://{host}:{self.port}{brought}")
        if s.foxglove_port:
            from semcom_ros.nodes.foxglove_server import FoxgloveServer

            self.ends.callback(FoxgloveServer(self, s.foxglove_port).stop)

    def status(self) -> tuple[bytes, str]:
        pages = self.live.pages
        return DiagnosticStatus.OK, f"shown on {pages} pages" if pages else "idle: no page is open"

    def values(self) -> dict[str, str]:
        return {"pages": str(self.live.pages), "vehicles": str(len(self.fleet.vehicles))}

    def run_soon(self, job: Callable[[], None]) -> None:
        """Run `job` in the executor's thread; from any thread."""
        self._jobs.put(job)
        self._wake.trigger()

    def _run_jobs(self) -> None:
        while not self._jobs.empty():
            self._jobs.get()()

    def _follow_pages(self) -> None:
        """Begin with the first page, end with the last."""
        if not self.live.pages:
            self._timer.cancel()
            self.fleet.close()
        elif self._timer.is_canceled():
            self._timer.reset()

    def _tick(self) -> None:
        began = time.monotonic()
        try:
            heads, pictures = self.fleet.look()
            self._pace.judge([head["latency"] for head in heads])
            self._timer.timer_period_ns = int(1e9 * self._pace.period_s)
            for head in heads:
                head["every_s"] = self._pace.period_s if self._pace.is_slowed else None
            self.live.show(heads, pictures)
            self.statistics.output(time.monotonic() - began, 0.0)
        except Exception as error:
            self.fail_frame(error)

    @classmethod
    def main(cls) -> None:
        if importlib.util.find_spec("nicegui") is None:
            sys.exit(
                "dashboard_node needs NiceGUI, which is not installed here: pip install nicegui"
            )
        super().main()


def main() -> None:
    """Entry point."""
    os.nice(NICENESS)
    make_room()
    DashboardNode.main()
