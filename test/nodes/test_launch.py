# SPDX-License-Identifier: Apache-2.0
"""The launch file, where `launch` is installed; it has no wheel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("launch", reason="ROS's launch is not installed for this Python")
pytest.importorskip("launch_ros", reason="ROS's launch_ros is not installed for this Python")

from launch import LaunchContext  # noqa: E402
from launch.actions import DeclareLaunchArgument  # noqa: E402

from semcom_ros import graph  # noqa: E402
from semcom_ros.errors import SemcomError  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / "launch" / "vehicle_rsu.launch.py"


def load():
    """The launch file as a module, and a context with the arguments' defaults."""
    spec = importlib.util.spec_from_file_location("vehicle_rsu_launch", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    for entity in module.generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    return module, context


def test_every_parameter_of_the_graph_is_a_described_argument():
    module, _ = load()
    declared = {
        entity.name: entity
        for entity in module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    }
    camera = {"camera", "image_topic", "camera_info_topic"}
    others = {"namespace", "config", "log_level", "rviz"}
    assert set(graph.arguments()) | camera | others == set(declared)
    assert all(argument.description for argument in declared.values())
    assert declared["codec"].choices == list(graph.arguments()["codec"].choices)


def test_the_nodes_are_those_of_the_graph():
    module, context = load()
    nodes = module.start(context)
    started = [node.node_executable for node in nodes]
    assert started == [process.executable for process in graph.vehicle_rsu()]


def test_a_camera_of_ones_own_takes_the_place_of_camera_node():
    module, context = load()
    own = {"camera": "false", "image_topic": "/front/image", "camera_info_topic": "/front/info"}
    context.launch_configurations.update(own)
    nodes = {node.node_executable: node for node in module.start(context)}
    assert sorted(nodes) == ["channel_node", "rsu_node", "vehicle_node"]
    for node in nodes.values():
        node._perform_substitutions(context)
        assert node.expanded_remapping_rules == [
            ("camera/image_raw", "/front/image"),
            ("camera/image_raw/compressed", "/front/image/compressed"),
            ("camera/camera_info", "/front/info"),
        ]


def test_a_wrong_argument_is_refused_with_a_sentence():
    module, context = load()
    context.launch_configurations["payload_bytes"] = "5"
    with pytest.raises(SemcomError, match="payload_bytes is 5; it must be 128 to 1200"):
        module.start(context)
