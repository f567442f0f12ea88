# SPDX-License-Identifier: Apache-2.0
"""What is started together: descriptions, their arguments, and the processes they ask for.

The files in `launch/` make actions of `ros2 launch` of it; `semcom launch` runs it itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from semcom_ros import graph
from semcom_ros.datasets import is_bag, open_source
from semcom_ros.errors import SemcomError, choose
from semcom_ros.graph import CAMERA, CAMERA_INFO, NodeProcess
from semcom_ros.parameter import Parameter, Value
from semcom_ros.parameter_file import check_file
from semcom_ros.runtime import shipped_folder

DESCRIPTIONS = {
    "vehicle_rsu": (*graph.VEHICLE_RSU, "bag_node", "dashboard_node"),
    "vehicle": ("camera_node", "vehicle_node", "channel_node", "link_node", "bag_node",
                "dashboard_node"),
    "rsu": ("link_node", "channel_node", "rsu_node", "dashboard_node"),
}  # fmt: skip
"""By what can be launched: vehicles and their RSU on one host, or what one of two hosts runs; the
nodes in the order in which data flows, and those that come after them where they are asked for."""
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
"""By executable: the argument that says whether the node is started."""
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
_OWN = {
    "vehicle_rsu": (
        Parameter(
            "vehicles", 1,
            "So many vehicles, each with a drive of its own, on one RSU: their namespaces count on "
            "from `namespace`, the seeds of scenes:SEED and first_frame of other data likewise.",
            1, 64,
        ),
    ),
    "vehicle": (),
    "rsu": (
        Parameter("namespace", "/rsu", "Namespace of the RSU's nodes."),
        replace(graph.table("rsu_node")["vehicles"], default="/vehicle_*"),
    ),
}  # fmt: skip
"""Arguments that a description has in the place of all others of the name."""
_WITHOUT = {
    "vehicle_rsu": (),
    "vehicle": ("role", "peer_kbps", "most_vehicles", "rviz"),
    "rsu": ("role", "peer", "rviz", "camera", "player", "image_topic", "camera_info_topic"),
}
APART = 40
"""Frames by which vehicles of the same data are apart."""


def arguments(description: str = "vehicle_rsu") -> dict[str, Parameter]:
    """Those of the whole, and all parameters of its nodes, by name. Raises SemcomError for what is
    no description."""
    choose(description, DESCRIPTIONS, "description")
    found = {parameter.name: parameter for parameter in _ARGUMENTS}
    found |= graph.arguments(DESCRIPTIONS[description])
    found |= {parameter.name: parameter for parameter in _OWN[description]}
    return {name: it for name, it in found.items() if name not in _WITHOUT[description]}


def in_words(argument: Parameter) -> tuple[str, str, list[str]]:
    """Default, meaning and choices of an argument as texts; no choices where others are allowed."""
    if isinstance(argument.default, bool):
        return str(argument.default).lower(), argument.text, ["true", "false"]
    allowed = f" Allowed: {argument.range}." if argument.range and not argument.choices else ""
    return str(argument.default), argument.text + allowed, [*map(str, argument.choices)]


def processes(
    given: Mapping[str, str], description: str = "vehicle_rsu"
) -> tuple[NodeProcess, ...]:
    """What runs with the arguments' values, in the order in which data flows.

    given: texts by name; what is not there has its default. Raises SemcomError for an argument
    that is none, a value out of range, arguments that contradict each other, a parameter file or
    data that cannot be used, and an RViz that is not installed: before anything is started.
    """
    known = arguments(description)
    for name in given:
        choose(name, known, "launch argument")
    texts = {name: given.get(name, in_words(it)[0]) for name, it in known.items()}
    values = {name: it.parse(texts[name]) for name, it in known.items()}
    if texts["config"]:
        check_file(Path(texts["config"]))
    for name, switch in _NEEDED.items():
        if values.get(name) and not values[switch]:
            raise SemcomError(f"{name} is for a node that is not started: say {switch}:=true, too.")
    if "data" in values:
        _check_source(values)
    of_bag = values.get("player") or (values.get("camera") and is_bag(str(values["data"])))
    clock: dict[str, Value] = {"use_sim_time": bool(of_bag or values["use_sim_time"])}
    image = str(values.get("image_topic", CAMERA))
    topics = (
        (CAMERA, image),
        (f"{CAMERA}/compressed", f"{image}/compressed"),
        (CAMERA_INFO, str(values.get("camera_info_topic", CAMERA_INFO))),
    )
    found = [
        replace(
            node,
            parameters=node.parameters | clock,
            parameter_files=(texts["config"],) if texts["config"] else (),
            remappings=topics if "data" in values else (),
            log_level=texts["log_level"],
            respawn=bool(values["respawn"]),
        )
        for node in _NODES_OF[description](values)
    ]
    if values.get("rviz"):
        found.append(_rviz(texts, clock, topics))
    return tuple(found)


def _check_source(values: dict[str, Value]) -> None:
    """Raise SemcomError where no camera can play; let one bag or camera play alone."""
    values["camera"] = values["camera"] and not values["player"]
    if values["camera"]:
        open_source(str(values["data"]), str(values["split"]))
    if values["player"]:
        if not values["bag"]:
            raise SemcomError("player:=true plays a bag: name one, as in bag:=out/town.")
        from semcom_ros.datasets.bags.cameras import transport_of  # rosbags, for bags alone

        transport = transport_of(str(values["bag"]), str(values["bag_camera"]))
        values["input_transport"] = transport or values["input_transport"]


def _started(executables: Iterable[str], values: Mapping[str, Value]) -> list[str]:
    return [one for one in executables if one not in SWITCHES or values[SWITCHES[one].name]]


def _nodes(
    namespace: Value, executables: Iterable[str], values: Mapping[str, Value]
) -> list[NodeProcess]:
    of_nodes = {n: values[n] for n in graph.arguments(executables) if n in values}
    return list(graph.vehicle_rsu(str(namespace), executables, **of_nodes))


def _vehicle_rsu(values: dict[str, Value]) -> list[NodeProcess]:
    """One vehicle with its RSU in its namespace, or several and one RSU that serves them."""
    executables = _started(DESCRIPTIONS["vehicle_rsu"], values)
    count, values = int(values["vehicles"]), values | {"vehicles": ""}
    if count == 1:
        return _nodes(values["namespace"], executables, values)
    namespace = str(values["namespace"])
    stem = namespace.rstrip("0123456789")
    number = namespace.removeprefix(stem)
    data, first = str(values["data"]), int(values["first_frame"])
    for wrong, why in (
        (not number, "needs a namespace that ends with a number, such as /vehicle_1"),
        (values["player"] or is_bag(data), "plays no bag: its time is that of one drive"),
        (values["vehicle_id"], "numbers vehicles by their namespaces: leave vehicle_id out"),
        (str(values["image_topic"]).startswith("/"), "needs an image_topic below the namespace"),
    ):
        if wrong:
            raise SemcomError(f"vehicles:={count} {why}.")
    names = [f"{stem}{int(number) + i:0{len(number)}}" for i in range(count)]
    shared = [one for one in executables if one in ("rsu_node", "dashboard_node")]
    found = []
    for i, name in enumerate(names):
        seed = re.fullmatch(r"scenes:(\d+)", data)
        own = {"data": f"scenes:{int(seed[1]) + i}"} if seed else {"first_frame": first + APART * i}
        found += [
            replace(one, name=f"{name[1:]}/{one.name}")
            for one in _nodes(name, [n for n in executables if n not in shared], values | own)
        ]
    return found + _nodes("/rsu", shared, values | {"vehicles": ",".join(names)})


def _vehicle(values: dict[str, Value]) -> list[NodeProcess]:
    """A vehicle's host: all but the RSU, and the link to it."""
    if not values["peer"]:
        raise SemcomError("peer is empty: name where the RSU is, as in peer:=192.0.2.7:47800.")
    executables = _started(DESCRIPTIONS["vehicle"], values)
    if not values["with_channel"]:
        executables.remove("channel_node")
    return _nodes(values["namespace"], executables, values | {"role": "vehicle"})


def _rsu(values: dict[str, Value]) -> list[NodeProcess]:
    """The RSU's host: the link to all vehicles, a radio for each where it is asked for, the RSU."""
    values = values | {"role": "rsu"}
    names = str(values["vehicles"]).split(",") if values["with_channel"] else []
    if any(re.search("[*?]", name) for name in names):
        raise SemcomError(
            "with_channel:=true starts a radio for each vehicle: name them, as in "
            "vehicles:=/vehicle_1,/vehicle_2."
        )
    link, channel, *others = _started(DESCRIPTIONS["rsu"], values)
    radios = [one for name in names for one in _nodes(name.strip(), [channel], values)]
    radios = [replace(one, name=f"{one.namespace[1:]}/{one.name}") for one in radios]
    first, *rest = _nodes(values["namespace"], [link, *others], values)
    return [first, *radios, *rest]


_NODES_OF = {"vehicle_rsu": _vehicle_rsu, "vehicle": _vehicle, "rsu": _rsu}


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
