# SPDX-License-Identifier: Apache-2.0
"""The launch file, where `launch` is installed; it has no wheel."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("launch", reason="ROS's launch is not installed for this Python")
pytest.importorskip("launch_ros", reason="ROS's launch_ros is not installed for this Python")

from launch import LaunchContext  # noqa: E402
from launch.actions import DeclareLaunchArgument  # noqa: E402

from semcom_ros import bringup, graph  # noqa: E402
from semcom_ros.errors import SemcomError  # noqa: E402
from semcom_ros.nodes import ros2_launch  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "launch"
KEY = "ros__parameters"


def load(description="vehicle_rsu"):
    """A launch file as a module, and a context with the arguments' defaults."""
    file = FOLDER / f"{description}.launch.py"
    spec = importlib.util.spec_from_file_location(f"{description}_launch", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    for entity in module.generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    return module, context


def test_every_argument_is_declared_with_its_meaning_and_choices():
    module, _ = load()
    declared = {
        entity.name: entity
        for entity in module.generate_launch_description().entities
        if isinstance(entity, DeclareLaunchArgument)
    }
    assert set(bringup.arguments()) == set(declared)
    assert all(argument.description for argument in declared.values())
    assert declared["codec"].choices == list(graph.arguments()["codec"].choices)
    assert declared["rviz"].choices == ["true", "false"] and declared["data"].choices is None


@pytest.mark.parametrize("description", bringup.DESCRIPTIONS)
def test_there_is_a_file_for_every_description(description):
    _, context = load(description)
    given = {"peer": "127.0.0.1:47800"} if description == "vehicle" else {}
    context.launch_configurations.update(given)
    started = [node.node_executable for node in ros2_launch.start(context, description)]
    assert started == [one.executable for one in bringup.processes(given, description)]
    assert len(list(FOLDER.glob("*.launch.py"))) == len(bringup.DESCRIPTIONS)


def test_the_nodes_are_those_of_the_graph():
    _, context = load()
    nodes = ros2_launch.start(context, "vehicle_rsu")
    started = [node.node_executable for node in nodes]
    assert started == [process.executable for process in graph.vehicle_rsu()]


def test_a_camera_of_ones_own_takes_the_place_of_camera_node():
    _, context = load()
    own = {"camera": "false", "image_topic": "/front/image", "camera_info_topic": "/front/info"}
    context.launch_configurations.update(own)
    nodes = {node.node_executable: node for node in ros2_launch.start(context, "vehicle_rsu")}
    assert sorted(nodes) == ["channel_node", "rsu_node", "vehicle_node"]
    for node in nodes.values():
        node._perform_substitutions(context)
        assert node.expanded_remapping_rules == [
            ("camera/image_raw", "/front/image"),
            ("camera/image_raw/compressed", "/front/image/compressed"),
            ("camera/camera_info", "/front/info"),
        ]


def test_a_wrong_argument_is_refused_with_a_sentence():
    _, context = load()
    context.launch_configurations["payload_bytes"] = "5"
    with pytest.raises(SemcomError, match="payload_bytes is 5; it must be 128 to 1200"):
        ros2_launch.start(context, "vehicle_rsu")


def parameters_of(node, context: LaunchContext) -> dict[str, object]:
    node._perform_substitutions(context)
    files = [Path(file) for file, is_file in node._Node__expanded_parameter_arguments if is_file]
    found = [yaml.safe_load(file.read_text()) for file in files]
    return {n: v for one in found for node in one.values() for n, v in node[KEY].items()}


def test_nodes_are_started_anew_unless_told_otherwise():
    _, context = load()
    respawns = "_ExecuteLocal__respawn", "_ExecuteLocal__respawn_delay"
    for wanted in (True, False):
        context.launch_configurations["respawn"] = str(wanted).lower()
        for node in ros2_launch.start(context, "vehicle_rsu"):
            kept, delay = (getattr(node, name) for name in respawns)
            assert (kept, delay) == (wanted, ros2_launch.RESPAWN_S)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_time_of_a_simulation_reaches_every_node(wanted: bool):
    _, context = load()
    context.launch_configurations["use_sim_time"] = str(wanted).lower()
    for node in ros2_launch.start(context, "vehicle_rsu"):
        assert parameters_of(node, context)["use_sim_time"] is wanted


def test_rviz_gets_its_own_arguments_and_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, context = load()
    (program := tmp_path / "rviz2").touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    made = []
    monkeypatch.setattr(ros2_launch, "Node", lambda **how: made.append(how))
    context.launch_configurations.update(rviz="true", frame_id="front_left")
    ros2_launch.start(context, "vehicle_rsu")
    assert made[0]["arguments"][2:] == ("--fixed-frame", "front_left")
    assert made[0]["package"] == made[0]["executable"] == "rviz2" and "name" not in made[0]


def test_an_argument_that_nobody_declared_is_refused(monkeypatch: pytest.MonkeyPatch):
    _, context = load()
    words = ["ros2", "launch", "semcom_ros", "vehicle_rsu.launch.py", "payload_bytes:=300"]
    monkeypatch.setattr(sys, "argv", words)
    assert ros2_launch.start(context, "vehicle_rsu")
    monkeypatch.setattr(sys, "argv", [*words, "payload_byts:=300"])
    with pytest.raises(SemcomError, match="no launch argument 'payload_byts': did you mean 'payl"):
        ros2_launch.start(context, "vehicle_rsu")
    # What the arguments of a launch file are that includes this one is its own affair.
    monkeypatch.setattr(sys, "argv", ["ros2", "launch", "fleet.launch.py", "cars:=3"])
    assert ros2_launch.start(context, "vehicle_rsu")


def test_a_broken_parameter_file_starts_nothing(tmp_path: Path):
    _, context = load()
    file = tmp_path / "broken.yaml"
    context.launch_configurations["config"] = str(file)
    with pytest.raises(SemcomError, match=f"{file} cannot be used: .*No such file"):
        ros2_launch.start(context, "vehicle_rsu")
    file.write_text("/**/rsu_node:\n  ros__parameters:\n    max_age_s: [\n")
    with pytest.raises(SemcomError, match=f"{file} cannot be used: while parsing"):
        ros2_launch.start(context, "vehicle_rsu")
