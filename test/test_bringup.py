# SPDX-License-Identifier: Apache-2.0
"""What `ros2 launch` and `semcom launch` start, and what they refuse before anything starts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from semcom_ros import bringup, graph
from semcom_ros.datasets.bags import BagWriter, Qos
from semcom_ros.errors import SemcomError


def by_name(launched: str = "vehicle_rsu", **given: str) -> dict[str, graph.NodeProcess]:
    found = bringup.processes(given, launched)
    named = {process.name: process for process in found}
    assert len(named) == len(found)  # by which they are watched
    return named


@pytest.mark.parametrize("description", bringup.DESCRIPTIONS)
def test_every_parameter_of_the_nodes_is_a_described_argument_unless_it_is_settled(
    description: str,
) -> None:
    own = {"camera", "image_topic", "camera_info_topic", "namespace", "config", "log_level"}
    own |= {"player", "rviz", "dashboard", "respawn", "use_sim_time", "vehicles"}
    of_nodes = set(graph.arguments(bringup.DESCRIPTIONS[description]))
    settled = {
        "vehicle_rsu": set(),
        "vehicle": {"role", "peer_kbps", "most_vehicles", "rviz", "vehicles"},
        "rsu": {"role", "peer", "rviz", "camera", "player", "image_topic", "camera_info_topic"},
    }[description]
    assert set(bringup.arguments(description)) == (own | of_nodes) - settled
    for argument in bringup.arguments(description).values():
        default, text, choices = bringup.in_words(argument)
        assert text and argument.parse(default) == argument.default
        assert not choices or default in choices
    assert "Allowed: 128 to 1200" in bringup.in_words(bringup.arguments()["payload_bytes"])[1]


def test_the_nodes_are_those_of_the_graph_with_the_values_that_were_given() -> None:
    found = by_name(codec="classical", namespace="/car_7", log_level="debug", respawn="false")
    for node in graph.vehicle_rsu("/car_7", codec="classical"):
        process = found[node.name]
        assert process.parameters == node.parameters | {"use_sim_time": False}
        assert (process.namespace, process.log_level) == ("/car_7", "debug")
        assert not process.respawn and by_name()[node.name].respawn
    assert len(found) == 4


def test_a_camera_of_ones_own_takes_the_place_of_camera_node() -> None:
    found = by_name(camera="false", image_topic="/front/image", camera_info_topic="/front/info")
    assert list(found) == ["vehicle_node", "channel_node", "rsu_node"]
    line = graph.command(found["vehicle_node"])
    assert "camera/image_raw:=/front/image" in line
    assert "camera/image_raw/compressed:=/front/image/compressed" in line
    assert "camera/camera_info:=/front/info" in line


def test_a_dashboard_is_started_where_it_is_asked_for() -> None:
    assert "dashboard_node" not in by_name()
    found = by_name(dashboard="true", dashboard_port="9000")["dashboard_node"]
    assert found.parameters["dashboard_port"] == 9000 and found.parameters["autostart"]


@pytest.mark.parametrize(
    ("kind", "name", "transport"),
    [
        ("Image", "/a/image_raw", "raw"),
        ("CompressedImage", "/a/image_raw/compressed", "compressed"),
    ],
)
def test_a_bag_that_is_played_takes_the_place_of_camera_node_in_its_own_transport(
    kind: str, name: str, transport: str, tmp_path: Path
) -> None:
    with BagWriter(tmp_path / "drive") as bag:
        bag.write(bag.topic(name, f"sensor_msgs/msg/{kind}", Qos()), 1, bytes(64))
    found = by_name(player="true", bag=str(tmp_path / "drive"), bag_repeat="onward")
    assert list(found) == ["vehicle_node", "channel_node", "rsu_node", "bag_node"]
    assert found["bag_node"].parameters["bag_repeat"] == "onward"
    assert found["vehicle_node"].parameters["input_transport"] == transport
    assert all(process.parameters["use_sim_time"] for process in found.values())


def test_every_node_takes_the_time_of_a_simulation_and_of_a_bag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bringup, "open_source", lambda data, split: None)

    def clocks(**given: str) -> set[object]:
        return {process.parameters["use_sim_time"] for process in by_name(**given).values()}

    assert clocks(use_sim_time="true") == clocks(data="bag:drive") == {True}
    assert clocks() == clocks(data="bag:drive", camera="false") == {False}


def test_a_file_of_parameters_comes_after_the_arguments_which_it_wins_over(tmp_path: Path) -> None:
    (file := tmp_path / "own.yaml").write_text("/**:\n  ros__parameters: {snr_db: 3.0}\n")
    line = graph.command(by_name(config=str(file), snr_db="9.0")["channel_node"])
    assert line.index("snr_db:=9.0") < line.index(str(file))
    assert line[line.index(str(file)) - 1] == "--params-file"


def test_several_vehicles_have_drives_of_their_own_and_one_rsu() -> None:
    found = by_name(vehicles="3", namespace="/car_4", data="scenes:7", dashboard="true")
    cars = ["car_4", "car_5", "car_6"]
    each = ("camera_node", "vehicle_node", "channel_node")
    assert list(found) == [f"{car}/{node}" for car in cars for node in each] + [
        "rsu_node", "dashboard_node"
    ]  # fmt: skip
    seeds = [found[f"{car}/camera_node"].parameters["data"] for car in cars]
    assert seeds == ["scenes:7", "scenes:8", "scenes:9"]
    assert [found[f"{car}/vehicle_node"].namespace for car in cars] == [f"/{car}" for car in cars]
    assert found["rsu_node"].parameters["vehicles"] == "/car_4,/car_5,/car_6"
    assert found["rsu_node"].namespace == "/rsu" and by_name()["rsu_node"].namespace == "/vehicle_1"
    assert by_name()["rsu_node"].parameters["vehicles"] == ""
    line = graph.command(found["car_5/vehicle_node"])
    assert "__ns:=/car_5" in line and "__node:=vehicle_node" in line


def test_several_vehicles_of_the_same_data_begin_apart(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((32, 64, 3), np.uint8))
    found = by_name(vehicles="2", data=f"folder:{tmp_path}", first_frame="5")
    begins = [found[f"vehicle_{n}/camera_node"].parameters["first_frame"] for n in (1, 2)]
    assert begins == [5, 5 + bringup.APART]


def test_a_vehicles_host_has_the_link_in_the_place_of_the_rsu() -> None:
    found = by_name("vehicle", peer="rsu.example:47800", dscp="46")
    assert list(found) == ["camera_node", "vehicle_node", "link_node"]
    link = found["link_node"].parameters
    assert (link["role"], link["peer"], link["dscp"]) == ("vehicle", "rsu.example:47800", 46)
    assert not link["with_channel"]
    found = by_name("vehicle", peer="rsu.example:47800", with_channel="true", camera="false")
    assert list(found) == ["vehicle_node", "channel_node", "link_node"]
    assert found["link_node"].parameters["with_channel"]


def test_the_rsus_host_serves_whoever_comes_by_the_link() -> None:
    found = by_name("rsu", bind="[::]:5000")
    assert list(found) == ["link_node", "rsu_node"]
    assert found["rsu_node"].parameters["vehicles"] == "/vehicle_*"
    link = found["link_node"]
    assert (link.parameters["role"], link.parameters["bind"]) == ("rsu", "[::]:5000")
    assert link.namespace == "/rsu" and not link.remappings
    found = by_name("rsu", with_channel="true", vehicles="/vehicle_1,/vehicle_2", loss="0.1")
    radios = ["vehicle_1/channel_node", "vehicle_2/channel_node"]
    assert list(found) == ["link_node", *radios, "rsu_node"]
    assert [found[name].namespace for name in radios] == ["/vehicle_1", "/vehicle_2"]
    assert found[radios[0]].parameters["loss"] == 0.1


@pytest.mark.parametrize(
    ("description", "given", "sentence"),
    [
        ("vehicle", {}, "peer is empty: name where the RSU is, as in peer:=192.0.2.7:47800"),
        ("vehicle", {"most_vehicles": "3"}, "no launch argument 'most_vehicles'"),
        ("rsu", {"peer": "a:1"}, "no launch argument 'peer'"),
        ("rsu", {"with_channel": "true"}, "starts a radio for each vehicle: name them, as in veh"),
        ("vehicle_rsu", {"vehicles": "0"}, "vehicles is 0; it must be 1 to 64"),
        ("vehicle_rsu", {"vehicles": "2", "namespace": "/car"}, "a namespace that ends with a num"),
        ("vehicle_rsu", {"vehicles": "2", "vehicle_id": "5"}, "leave vehicle_id out"),
        (
            "vehicle_rsu",
            {"vehicles": "2", "image_topic": "/front"},
            "an image_topic below the na",
        ),
        ("vehicles", {}, "no description 'vehicles': did you mean 'vehicle'"),
    ],
)
def test_what_cannot_be_launched_together_is_refused_with_a_sentence(
    description: str, given: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SemcomError, match=sentence):
        bringup.processes(given, description)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"payload_byts": "300"}, "no launch argument 'payload_byts': did you mean 'payload_bytes"),
        ({"payload_bytes": "5"}, "payload_bytes is 5; it must be 128 to 1200"),
        ({"rviz": "maybe"}, "rviz is 'maybe'; it must be true or false"),
        ({"namespace": "car 7"}, "The namespace is 'car 7'"),
        ({"config": "/nowhere.yaml"}, "/nowhere.yaml cannot be used: .*No such file"),
        ({"rviz": "true"}, "There is no rviz2 here: install it"),
        ({"data": "bag:/nowhere"}, "There is no '/nowhere'"),
        ({"bag": "drive"}, "bag is for a node that is not started: say player:=true, too"),
        ({"foxglove_port": "8765"}, "foxglove_port is for .*: say dashboard:=true, too"),
        ({"player": "true", "bag": "/nowhere"}, "There is no '/nowhere'"),
        ({"player": "true"}, "player:=true plays a bag: name one"),
    ],
)
def test_what_cannot_be_started_is_refused_with_a_sentence(
    given: dict[str, str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SemcomError, match=sentence):
        bringup.processes(given)


def test_rviz_shows_the_frame_of_the_camera_and_follows_its_topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program := tmp_path / "rviz2").touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    rviz = by_name(rviz="true", frame_id="front_left", image_topic="/front/image")["rviz2"]
    assert not rviz.respawn  # a window that was closed stays closed
    line = graph.command(rviz)
    layout, frame = Path(line[2]), line[4]
    assert line[:2] == ["rviz2", "-d"] and layout.is_file() and frame == "front_left"
    assert line[5] == "--ros-args" and "camera/image_raw:=/front/image" in line
    assert not any(word.startswith("__node") for word in line)
    placed = by_name(rviz="true", mounting="0,0,1.4", base_frame="car_7")["rviz2"]
    assert graph.command(placed)[4] == "car_7"
