# SPDX-License-Identifier: Apache-2.0
"""One vehicle and its RSU: camera, vehicle, channel and RSU, each in a process of its own.

`ros2 launch semcom_ros vehicle_rsu.launch.py --show-args` lists what can be set. The nodes and
their parameters come from `semcom_ros.graph`, as in `semcom demo`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from semcom_ros import graph
from semcom_ros.errors import choose

IMAGE, CAMERA_INFO = "camera/image_raw", "camera/camera_info"
LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]
RESPAWN_S = 2.0
"""From the end of a node to its next start."""


def declare(name: str, default: str, text: str, choices: list[str] | None = None):
    """One described argument; `choices` are enforced by launch."""
    return DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made once their values are known."""
    return LaunchDescription([*arguments(), OpaqueFunction(function=start)])


def arguments() -> list[DeclareLaunchArgument]:
    """Those of the whole graph, and all parameters of its nodes."""
    found = [
        declare("namespace", graph.NAMESPACE, "Namespace of all nodes and topics."),
        declare("config", "", "YAML file of parameters that win over all arguments."),
        declare(
            "camera",
            "true",
            "Start camera_node; false where a camera publishes already.",
            ["true", "false"],
        ),
        declare("image_topic", IMAGE, "Images of the camera; its JPEGs are under /compressed."),
        declare("camera_info_topic", CAMERA_INFO, "Intrinsics of the camera."),
        declare("log_level", "info", "Least severity that is logged.", LOG_LEVELS),
        declare("rviz", "false", "Show the RSU's outputs in RViz.", ["true", "false"]),
        declare(
            "respawn",
            "true",
            f"Start a node anew, {RESPAWN_S:g} s after it ended by itself.",
            ["true", "false"],
        ),
        declare(
            "use_sim_time",
            "false",
            "Take the time from /clock, as with a simulator or `ros2 bag play --clock`.",
            ["true", "false"],
        ),
    ]
    for name, parameter in graph.arguments().items():
        default, choices = str(parameter.default), list(map(str, parameter.choices)) or None
        if isinstance(parameter.default, bool):
            default, choices = default.lower(), ["true", "false"]
        text = parameter.text
        if parameter.range and not choices:
            text += f" Allowed: {parameter.range}."
        found.append(declare(name, default, text, choices))
    return found


def check_arguments() -> None:
    """Raise SemcomError for an argument that nobody declared, which launch would pass over.

    Where another launch file includes this one, the command's arguments are for that one.
    """
    words = sys.argv[1:]
    if Path(__file__).name in (Path(word).name for word in words):
        for name, given, _ in (word.partition(":=") for word in words):
            if given:
                choose(name, (argument.name for argument in arguments()), "launch argument")


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes of the graph with the arguments' values, and RViz if wanted."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    check_arguments()
    namespace, config = value("namespace"), value("config")
    if config:
        graph.check_file(Path(config))
    clock = {"use_sim_time": value("use_sim_time") == "true"}
    values = {name: p.parse(value(name)) for name, p in graph.arguments().items()}
    log = ["--log-level", value("log_level")]
    image, camera_info = value("image_topic"), value("camera_info_topic")
    topics = [
        (IMAGE, image),
        (f"{IMAGE}/compressed", f"{image}/compressed"),
        (CAMERA_INFO, camera_info),
    ]
    nodes: list[LaunchDescriptionEntity] = [
        # The nodes start themselves (parameter autostart), so that they also do without launch.
        LifecycleNode(
            package="semcom_ros",
            executable=process.executable,
            name=process.name,
            namespace=process.namespace,
            parameters=[process.parameters, clock, *([config] if config else [])],
            remappings=topics,
            ros_arguments=log,
            output="screen",
            respawn=value("respawn") == "true",
            respawn_delay=RESPAWN_S,
        )
        for process in graph.vehicle_rsu(namespace, **values)
        if process.executable != "camera_node" or value("camera") == "true"
    ]
    if value("rviz") == "true":
        share = Path(get_package_share_directory("semcom_ros"))
        layout = str(share / "config" / "vehicle_rsu.rviz")
        # The layout's topics are relative, so that it serves every namespace.
        shown = ["-d", layout, "--fixed-frame", value("frame_id")]
        rviz = {"package": "rviz2", "executable": "rviz2", "arguments": shown}
        nodes.append(Node(**rviz, namespace=namespace, parameters=[clock], remappings=topics))
    return nodes
