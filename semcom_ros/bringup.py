# SPDX-License-Identifier: Apache-2.0
"""What is started for one vehicle and its RSU: the arguments, and the processes they ask for.

`launch/vehicle_rsu.launch.py` makes actions of `ros2 launch` of it; `semcom launch` runs it itself.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from semcom_ros import graph
from semcom_ros.datasets import is_bag, open_source
from semcom_ros.errors import SemcomError, choose
from semcom_ros.graph import CAMERA, CAMERA_INFO, NodeProcess
from semcom_ros.parameter import Parameter, Value
from semcom_ros.parameter_file import check_file
from semcom_ros.runtime import shipped_folder

SWITCHES = {
    "camera_node": Parameter(
        "camera", True, "Start camera_node; false where a camera publishes already."
    ),
    "bag_node": Parameter(
        "player", False,
        "Start bag_node in the place of camera_node, to play all of `bag`; input_transport is "
        "then that of the bag's pictures."
    ),
    "dashboard_node": Parameter(
        "dashboard", False, "Start dashboard_node: a page in the browser, whose address it logs."
    ),
}  # fmt: skip
"""By executable: the argument that says whether the node is started. Those that are none of
`graph.VEHICLE_RSU` come after it."""
NODES = tuple(dict.fromkeys((*graph.VEHICLE_RSU, *SWITCHES)))
_NEEDED = {"bag": "player", "foxglove_port": "dashboard"}
"""Arguments that say nothing without a node, and the switch of that."""
_ARGUMENTS = (
    Parameter("namespace", graph.NAMESPACE, "Namespace of all nodes and topics."),
    Parameter("config", "", "YAML file of parameters that win over all arguments."),
    *SWITCHES.values(),
    Parameter("image_topic", CAMERA, "Images of the camera; its JPEGs are under /compressed."),
    Parameter("camera_info_topic", CAMERA_INFO, "Intrinsics of the camera."),
    Parameter(
        "log_level", "info", "Least severity that is logged.",
        choices=("debug", "info", "warn", "error", "fatal"),
    ),
    Parameter("rviz", False, "Show the RSU's outputs in RViz."),
    Parameter("respawn", True, "Start a node anew, a while after it ended by itself."),
    Parameter(
        "use_sim_time", False,
        "Take the time from /clock, as with a simulator, bag_node or `ros2 bag play --clock`; "
        "always where a bag is played, be it by camera_node.",
    ),
)  # fmt: skip


def arguments() -> dict[str, Parameter]:
    """Those of the whole, and all parameters of its nodes, by name."""
    return {parameter.name: parameter for parameter in _ARGUMENTS} | graph.arguments(NODES)


def in_words(argument: Parameter) -> tuple[str, str, list[str]]:
    """Default, meaning and choices of an argument as texts; no choices where others are allowed."""
    if isinstance(argument.default, bool):
        return str(argument.default).lower(), argument.text, ["true", "false"]
    allowed = f" Allowed: {argument.range}." if argument.range and not argument.choices else ""
    return str(argument.default), argument.text + allowed, [*map(str, argument.choices)]


def processes(given: Mapping[str, str]) -> tuple[NodeProcess, ...]:
    """What runs with the arguments' values, in the order in which data flows.

    given: texts by name; what is not there has its default. Raises SemcomError for an argument
    that is none, a value out of range, a parameter file or data that cannot be used, and an RViz
    that is not installed: before anything is started.
    """
    for name in given:
        choose(name, arguments(), "launch argument")
    texts = {name: given.get(name, in_words(it)[0]) for name, it in arguments().items()}
    values = {name: it.parse(texts[name]) for name, it in arguments().items()}
    if texts["config"]:
        check_file(Path(texts["config"]))
    for name, switch in _NEEDED.items():
        if values[name] and not values[switch]:
            raise SemcomError(f"{name} is for a node that is not started: say {switch}:=true, too.")
    values["camera"] = values["camera"] and not values["player"]
    if values["camera"]:
        open_source(texts["data"], texts["split"])
    if values["player"]:
        if not texts["bag"]:
            raise SemcomError("player:=true plays a bag: name one, as in bag:=out/town.")
        from semcom_ros.datasets.bags.cameras import transport_of  # rosbags, for bags alone

        transport = transport_of(texts["bag"], texts["bag_camera"])
        values["input_transport"] = transport or values["input_transport"]
    of_bag = values["player"] or (values["camera"] and is_bag(texts["data"]))
    clock: dict[str, Value] = {"use_sim_time": bool(of_bag or values["use_sim_time"])}
    image = texts["image_topic"]
    topics = (
        (CAMERA, image),
        (f"{CAMERA}/compressed", f"{image}/compressed"),
        (CAMERA_INFO, texts["camera_info_topic"]),
    )
    started = [one for one in NODES if one not in SWITCHES or values[SWITCHES[one].name]]
    of_nodes = {name: values[name] for name in graph.arguments(NODES)}
    found = [
        replace(
            node,
            parameters=node.parameters | clock,
            parameter_files=(texts["config"],) if texts["config"] else (),
            remappings=topics,
            log_level=texts["log_level"],
            respawn=bool(values["respawn"]),
        )
        for node in graph.vehicle_rsu(texts["namespace"], started, **of_nodes)
    ]
    if values["rviz"]:
        found.append(_rviz(texts, clock, topics))
    return tuple(found)


def _rviz(
    texts: Mapping[str, str], clock: Mapping[str, Value], topics: tuple[tuple[str, str], ...]
) -> NodeProcess:
    if shutil.which("rviz2") is None:
        raise SemcomError(
            "There is no rviz2 here: install it (apt install ros-$ROS_DISTRO-rviz2) and source "
            "ROS, or leave rviz:=true out."
        )
    # The layout's topics are relative, so that it serves every namespace.
    layout = ("-d", str(shipped_folder("config") / "vehicle_rsu.rviz"))
    frame = ("--fixed-frame", texts["base_frame" if texts["mounting"] else "frame_id"])
    return NodeProcess(
        "rviz2",
        "rviz2",
        texts["namespace"],
        dict(clock),
        package="rviz2",
        words=(*layout, *frame),
        remappings=topics,
    )
