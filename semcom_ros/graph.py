# SPDX-License-Identifier: Apache-2.0
"""The processes of the package and how they start: what launch file and demo both build on."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, replace

from semcom_ros.errors import SemcomError, choose
from semcom_ros.parameter import Parameter, Value
from semcom_ros.parameters import TABLES, table

VEHICLE_RSU = ("camera_node", "vehicle_node", "channel_node", "rsu_node")
NAMESPACE = "/vehicle_1"


@dataclass(frozen=True)
class NodeProcess:
    """One node in a process of its own; `parameters` lists every parameter of the node."""

    executable: str
    name: str
    namespace: str
    parameters: dict[str, Value]


def arguments() -> dict[str, Parameter]:
    """What can be set about the whole graph: the parameters of all its nodes by name.

    A name that several nodes share is one argument and reaches all of them. Unlike a node by
    itself, the graph starts by itself.
    """
    found = {p.name: p for executable in VEHICLE_RSU for p in TABLES[executable]}
    return found | {"autostart": replace(found["autostart"], default=True)}


def vehicle_rsu(namespace: str = NAMESPACE, **values: Value) -> tuple[NodeProcess, ...]:
    """Camera, vehicle, channel and RSU of one vehicle, started without a lifecycle manager.

    values: any of `arguments()`, such as codec="gesco", channel="loss", loss=0.1, data="scenes:1",
    rate_hz=10.0, payload_bytes=512, autostart=False. Raises SemcomError for an unknown name or a
    value out of range.
    """
    if not re.fullmatch(r"(/[A-Za-z_][A-Za-z0-9_]*)+", namespace):
        raise SemcomError(
            f"The namespace is '{namespace}'; it must be like '{NAMESPACE}': a slash, then letters,"
            " digits and underscores, no digit first."
        )
    known = arguments()
    for name in values:
        choose(name, known, "parameter")
    return tuple(
        NodeProcess(
            executable,
            executable,
            namespace,
            {n: p.check(values.get(n, known[n].default)) for n, p in table(executable).items()},
        )
        for executable in VEHICLE_RSU
    )


def command(process: NodeProcess, log_level: str = "info") -> list[str]:
    """The command line that starts `process` with this Python, for `subprocess`."""
    line = [sys.executable, "-m", f"semcom_ros.nodes.{process.executable}", "--ros-args"]
    line += ["-r", f"__ns:={process.namespace}", "-r", f"__node:={process.name}"]
    line += ["--log-level", log_level]
    for name, value in process.parameters.items():
        # A JSON scalar is a YAML scalar, and the quotes keep a path such as "1e3" a string.
        line += ["-p", f"{name}:={json.dumps(value, ensure_ascii=False)}"]
    return line
