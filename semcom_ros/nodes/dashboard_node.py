# SPDX-License-Identifier: Apache-2.0
"""A page in the browser that shows every vehicle of the domain, and sets what can be set at once.

It listens to vehicles, and makes pictures, while a page is open, and not otherwise.
"""

from __future__ import annotations

import importlib.util
import queue
import sys
import time
from collections.abc import Callable
from urllib.parse import quote

from diagnostic_msgs.msg import DiagnosticStatus

from semcom_ros.nodes.dashboard.health import Health
from semcom_ros.nodes.dashboard.remote import Remote
from semcom_ros.nodes.dashboard.vehicle_view import SENT, VehicleView
from semcom_ros.nodes.node_base import SemcomNode
from semcom_ros.nodes.shared_memory import make_room

LOOK_ROUND_S = 1.0
"""How often vehicles are looked for."""
MAX_VEHICLES = 16
"""Rows that a page has at most."""


class DashboardNode(SemcomNode):
    """All topics of all vehicles in, none out."""

    executable = "dashboard_node"

    def __init__(self) -> None:
        super().__init__()
        self.vehicles: dict[str, VehicleView] = {}
        self.remote: Remote | None = None
        self._health: Health | None = None
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._next_look = 0.0
        self._turn = 0

    def start(self) -> None:
        # Here and not above: who never opens a page needs none of it.
        from semcom_ros.nodes.dashboard.gate import check_address
        from semcom_ros.nodes.dashboard.live import Live
        from semcom_ros.nodes.dashboard.web_server import WebServer

        s = self.settings
        check_address(s.dashboard_address, s.dashboard_token)
        self._wake = self.create_guard_condition(self._run_jobs)
        self.ends.callback(self.destroy_guard_condition, self._wake)
        self._timer = self.steady_timer(1 / s.pictures_hz, self._tick)
        self._timer.cancel()
        self.ends.callback(self.destroy_timer, self._timer)
        self.ends.callback(self._close)
        self.live = Live(lambda: self.run_soon(self._follow_pages))
        address, token = s.dashboard_address, s.dashboard_token
        server = WebServer(self, address, s.dashboard_port, token)
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
        counts = {
            "pages": self.live.pages,
            "vehicles": len(self.vehicles),
            "subscriptions": sum(view.taps for view in self.vehicles.values()),
            "clients": self.remote.clients if self.remote else 0,
        }
        return {name: str(count) for name, count in counts.items()}

    def run_soon(self, job: Callable[[], None]) -> None:
        """Run `job` in the executor's thread; from any thread."""
        self._jobs.put(job)
        self._wake.trigger()

    def alive(self, vehicle: str) -> set[str]:
        """The nodes of a vehicle that were heard of lately."""
        reports = self._health.of(vehicle) if self._health else {}
        return {name for name, report in dict(reports).items() if not report.silence_s}

    def _run_jobs(self) -> None:
        while not self._jobs.empty():
            self._jobs.get()()

    def _follow_pages(self) -> None:
        """Begin with the first page, end with the last."""
        if self.live.pages and self.remote is None:
            self.remote, self._health = Remote(self, self.run_soon), Health(self)
            self._next_look = 0.0
            self._timer.reset()
        elif not self.live.pages:
            self._close()

    def _close(self) -> None:
        self._timer.cancel()
        while self.vehicles:
            self.vehicles.popitem()[1].close()
        if self.remote is not None:
            self.remote.close()
            self._health.close()
            self.remote = self._health = None

    def _tick(self) -> None:
        """Show the pages what there is by now."""
        began = time.monotonic()
        try:
            self._show(began)
            self.statistics.output(time.monotonic() - began, 0.0)
        except Exception as error:
            self.fail_frame(error)

    def _show(self, began: float) -> None:
        from semcom_ros.nodes.dashboard.live import message

        if began >= self._next_look:
            self._next_look = began + LOOK_ROUND_S
            self._look_round()
        self._health.take()
        self.remote.take()
        views = list(self.vehicles.values())
        for view in views:
            view.take()
        pictures = {}
        if views:
            # Those of one vehicle at a time: many cost no more than one.
            self._turn = (self._turn + 1) % len(views)
            view = views[self._turn]
            pictures[view.name] = view.pictures(self.live.wants_points)
        heads = [view.head(self._health.of(view.name)) for view in views]
        self.live.show(message(heads, pictures))

    def _look_round(self) -> None:
        """Find vehicles by their topics; one that was found stays while a page is open."""
        for topic, _ in self.get_topic_names_and_types():
            name = topic.removesuffix(f"/{SENT}")
            if name != topic and name not in self.vehicles and len(self.vehicles) < MAX_VEHICLES:
                self.vehicles[name] = VehicleView(self, name)
        self.vehicles = dict(sorted(self.vehicles.items()))
        for view in self.vehicles.values():
            view.follow()

    @classmethod
    def main(cls) -> None:
        if importlib.util.find_spec("nicegui") is None:
            sys.exit(
                "dashboard_node needs NiceGUI, which is not installed here: pip install nicegui"
            )
        super().main()


def main() -> None:
    """Entry point."""
    make_room()
    DashboardNode.main()


if __name__ == "__main__":
    main()
