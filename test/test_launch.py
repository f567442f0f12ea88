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

FILE = Path(__file__).resolve().parent.parent / "launch" / "vehicle_rsu.launch.py"


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
    assert set(graph.arguments()) | {"namespace", "config", "log_level", "rviz"} == set(declared)
    assert all(argument.description for argument in declared.values())
    assert declared["codec"].choices == list(graph.arguments()["codec"].choices)


def test_the_nodes_are_those_of_the_graph():
    module, context = load()
    nodes = module.start(context)
    started = [node.node_executable for node in nodes]
    assert started == [process.executable for process in graph.vehicle_rsu()]


def test_a_wrong_argument_is_refused_with_a_sentence():
    module, context = load()
    context.launch_configurations["payload_bytes"] = "5"
    with pytest.raises(SemcomError, match="payload_bytes is 5; it must be 128 to 1200"):
        module.start(context)
