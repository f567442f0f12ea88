# SPDX-License-Identifier: Apache-2.0
"""All vehicles of the domain, as long as somebody looks at them."""

from __future__ import annotations

import time
from typing import Any

from semcom_ros.graph import PAYLOADS
from semcom_ros.nodes.dashboard.health import Health
from semcom_ros.nodes.dashboard.remote import Remote, RunSoon
from semcom_ros.nodes.dashboard.vehicle_view import VehicleView
from semcom_ros.nodes.reporting import ReportingNode

LOOK_ROUND_S = 1.0
"""How often vehicles are looked for."""
MAX_VEHICLES = 16
"""Rows that a page has at most."""


class Fleet:
    """Listens through `node` from its first `look` until it is closed.

    run_soon: runs a function in the executor's thread. vehicles: by namespace. remote: their nodes'
    parameters; None while nobody looks.
    """

    def __init__(self, node: ReportingNode, run_soon: RunSoon) -> None:
        self._node, self._run_soon = node, run_soon
        self.vehicles: dict[str, VehicleView] = {}
        self.remote: Remote | None = None
        self._health: Health | None = None
        self._next_look, self._turn = 0.0, 0

    def look(self) -> tuple[list[dict[str, Any]], dict[str, dict[str, bytes]]]:
        """What is told of every vehicle, and the new pictures of one of them by what they show."""
        if self.remote is None or self._health is None:
            self.remote, self._health = Remote(self._node, self._run_soon), Health(self._node)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + LOOK_ROUND_S
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
            pictures[views[self._turn].name] = views[self._turn].pictures()
        return [view.head(self._health.of(view.name)) for view in views], pictures

    def alive(self, vehicle: str) -> set[str]:
        """The nodes of a vehicle that were heard of lately."""
        reports = self._health.of(vehicle) if self._health else {}
        return {name for name, report in dict(reports).items() if not report.silence_s}

    def address(self, vehicle: str, node: str) -> str:
        """The full name of what is `node` to a vehicle: its own, or one that serves many."""
        report = self._health.of(vehicle).get(node) if self._health else None
        return (report and report.values.get("node")) or f"{vehicle}/{node}"

    def close(self) -> None:
        """Listen to nothing, and forget everything."""
        while self.vehicles:
            self.vehicles.popitem()[1].close()
        if self.remote is not None and self._health is not None:
            self.remote.close()
            self._health.close()
        self.remote, self._health, self._next_look = None, None, 0.0

    def _look_round(self) -> None:
        """Find vehicles by their topics; one that was found stays."""
        for topic, _ in self._node.get_topic_names_and_types():
            # On the RSU's host of two there is only what was received.
            sent = topic.removesuffix("/received")
            name = sent.removesuffix(f"/{PAYLOADS}")
            if name != sent and name not in self.vehicles and len(self.vehicles) < MAX_VEHICLES:
                self.vehicles[name] = VehicleView(self._node, name)
        self.vehicles = dict(sorted(self.vehicles.items()))
        for view in self.vehicles.values():
            view.follow()
