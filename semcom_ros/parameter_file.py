# SPDX-License-Identifier: Apache-2.0
"""A file of parameters as ROS reads it, checked before anything starts with it."""

from __future__ import annotations

from pathlib import Path

import yaml

from semcom_ros.errors import SemcomError, choose
from semcom_ros.graph import EXECUTABLES, table

_OF_ROS = ("use_sim_time", "qos_overrides", "start_type_description_service")
"""Parameters that every node has, or what their names begin with."""


def check_file(path: Path) -> None:
    """Raise SemcomError unless `path` is a YAML file of parameters that ROS and its nodes take."""
    try:
        _check_node("", yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise SemcomError(f"The parameter file {path} cannot be used: {reason}.") from None


def _check_node(name: str, held: object) -> None:
    """What a file of parameters holds below a name: of a node, or of a namespace around one."""
    if not isinstance(held, dict) or not isinstance(held.get("ros__parameters", {}), dict):
        raise SemcomError(f"{name or 'it'} holds no parameters of a node below `ros__parameters:`")
    if "ros__parameters" not in held:
        for inner, more in held.items():
            _check_node(str(inner), more)
        return
    executable = name.rpartition("/")[2]
    known = table(executable) if executable in EXECUTABLES else {}
    for parameter, value in held["ros__parameters"].items():
        if parameter in known:
            p = known[parameter]
            # Some numbers, such as 1e3, are texts to PyYAML and numbers to ROS.
            (p.parse if isinstance(value, str) else p.check)(value)
        elif known and not str(parameter).startswith(_OF_ROS):
            choose(str(parameter), known, f"parameter of {executable}")
