# SPDX-License-Identifier: Apache-2.0
"""Which vehicles an RSU serves: those that are named, and those that are found by patterns."""

from __future__ import annotations

import re

from rclpy.node import Node

from semcom_ros.errors import SemcomError
from semcom_ros.graph import RECEIVED

MOST_VEHICLES = 256
"""Vehicles that are served at once: their names may come from others."""


class VehicleSearch:
    """vehicles: namespaces or patterns with commas between, in which * stands for any letters of
    one name and ? for one. Raises SemcomError for what can be neither.

    named: namespaces. patterns: the rest, as they were given.
    """

    def __init__(self, vehicles: str) -> None:
        entries = [entry.strip() for entry in vehicles.split(",")]
        for entry in entries:
            if not re.fullmatch(r"(/[A-Za-z_*?][A-Za-z0-9_*?]*)+", entry):
                raise SemcomError(
                    f"vehicles has the entry '{entry}'; each must be a namespace such as "
                    "/vehicle_1 or a pattern such as /vehicle_*, with commas between."
                )
        self.patterns = [entry for entry in entries if re.search("[*?]", entry)]
        self.named = [entry for entry in dict.fromkeys(entries) if entry not in self.patterns]
        parts = (entry.replace("*", "[^/]*").replace("?", "[^/]") for entry in self.patterns)
        self._expression = re.compile("|".join(parts))

    def found(self, node: Node) -> list[str]:
        """Namespaces, as patterned, to whose RSU somebody publishes payloads."""
        topics = [topic for topic, _ in node.get_topic_names_and_types()]
        names = [topic.removesuffix(f"/{RECEIVED}") for topic in topics]
        return [
            name
            for name, topic in zip(names, topics, strict=True)
            if name != topic and self._expression.fullmatch(name) and node.count_publishers(topic)
        ]
