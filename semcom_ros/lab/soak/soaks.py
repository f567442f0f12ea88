# SPDX-License-Identifier: Apache-2.0
"""The soaks by name."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import NamedTuple

from semcom_ros.lab.soak import air, crowd, nodes
from semcom_ros.lab.soak.chaos import chaos
from semcom_ros.lab.soak.live import Measured
from semcom_ros.lab.soak.ray_failures import ray


class Soak(NamedTuple):
    """What it does, by whom, and for how long by default."""

    help: str
    run: Callable[[Namespace], Iterator[Measured]]
    seconds: float


SOAKS = {
    "kill9": Soak("kill every node 50 times while a drive runs", nodes.kill9, 50 * 4 * 16),
    "leak": Soak("memory, threads and files of a drive that goes on", nodes.leak, 3600),
    "lifecycle": Soak("every node down and up again 100 times", nodes.lifecycle, 1200),
    "overload": Soak("a camera at 30 Hz", nodes.overload, 60),
    "parameters": Soak("parameters set to anything, one after the other", nodes.parameters, 60),
    "flood": Soak("2000 garbage payloads a second", air.flood, 60),
    "replay": Soak("10 000 payloads heard before, and an RSU that starts anew", air.replay, 60),
    "clock": Soak("the RSU's clock off by up to an hour", air.clock, 55),
    "blackout": Soak("nothing gets through for up to 30 s", air.blackout, 50),
    "vehicles": Soak("ten vehicles on one RSU, one of which goes", crowd.vehicles, 300),
    "camera": Soak("odd pictures, stalls and stamps", air.camera, 60),
    "restart": Soak("the RSU of ten vehicles killed, over and over", crowd.restart, 640),
    "churn": Soak("five vehicles a second come and go", crowd.churn, 600),
    "ray": Soak("20 vehicles before a Ray cluster that loses a replica and its head", ray, 60),
    "discovery": Soak("50 DDS participants at once", nodes.discovery, 60),
    "chaos": Soak("a fault every 16 s, drawn by --seed", chaos, 1600),
}
