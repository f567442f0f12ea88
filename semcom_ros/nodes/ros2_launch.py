# SPDX-License-Identifier: Apache-2.0
"""What `ros2 launch` runs of a description in `semcom_ros.bringup`, by the files in launch/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from semcom_ros import bringup
from semcom_ros.errors import choose
from semcom_ros.graph import PACKAGE, NodeProcess
from semcom_ros.parameter import Parameter

RESPAWN_S = 2.0
"""From the end of a node to its next start."""


def describe(description: str) -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    declared = map(declare, bringup.arguments(description).values())
    return LaunchDescription([*declared, OpaqueFunction(function=start, args=[description])])


def declare(argument: Parameter) -> DeclareLaunchArgument:
    """One described argument; its choices are enforced by launch."""
    default, text, choices = bringup.in_words(argument)
    return DeclareLaunchArgument(
        argument.name, default_value=default, description=text, choices=choices or None
    )


def check_arguments(description: str) -> None:
    """Raise SemcomError for an argument that nobody declared, which launch would pass over.

    Where another launch file includes this one, the command's arguments are for that one.
    """
    words = sys.argv[1:]
    if f"{description}.launch.py" in (Path(word).name for word in words):
        for name, given, _ in (word.partition(":=") for word in words):
            if given:
                choose(name, bringup.arguments(description), "launch argument")


def start(context: LaunchContext, description: str) -> list[LaunchDescriptionEntity]:
    """The processes that the arguments ask for."""
    check_arguments(description)
    names = bringup.arguments(description)
    values = {name: LaunchConfiguration(name).perform(context) for name in names}
    return [action(process) for process in bringup.processes(values, description)]


def action(process: NodeProcess) -> Node:
    """The start of one process. Our nodes activate themselves (parameter autostart), so that they
    also do without launch."""
    how: dict[str, Any] = {
        "package": process.package,
        "executable": process.executable,
        "namespace": process.namespace,
        "arguments": process.words,
        "parameters": [process.parameters, *process.parameter_files],
        "remappings": process.remappings,
    }
    if process.package != PACKAGE:
        return Node(**how)
    return LifecycleNode(
        **how,
        name=process.executable,
        ros_arguments=["--log-level", process.log_level],
        output="screen",
        respawn=process.respawn,
        respawn_delay=RESPAWN_S,
    )
