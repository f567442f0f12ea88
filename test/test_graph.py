# SPDX-License-Identifier: Apache-2.0
"""The description of the processes that launch file and demo share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from semcom_ros import graph
from semcom_ros.errors import SemcomError
from semcom_ros.graph import EXECUTABLES
from semcom_ros.parameter_file import check_file


def test_a_value_reaches_every_node_that_has_the_parameter():
    by_name = {p.name: p.parameters for p in graph.vehicle_rsu(codec="classical", rate_hz=5)}
    assert by_name["vehicle_node"]["codec"] == by_name["rsu_node"]["codec"] == "classical"
    assert repr(by_name["camera_node"]["rate_hz"]) == "5.0"
    assert "codec" not in by_name["camera_node"]


def test_a_name_that_nodes_share_means_the_same_to_all_of_them():
    tables = [graph.table(executable) for executable in EXECUTABLES]
    for name in graph.arguments(EXECUTABLES):
        assert len({table[name] for table in tables if name in table}) == 1, name


def test_the_graph_has_every_node_of_the_package():
    folder = Path(graph.__file__).parent / "nodes"
    # Neither Autoware's messages, a browser nor a bag is needed: who has them starts these nodes.
    nodes = sorted({*graph.VEHICLE_RSU, "autoware_node", "bag_node", "dashboard_node", "link_node"})
    assert nodes == sorted(p.stem for p in folder.glob("*_node.py")) == sorted(EXECUTABLES)


def test_the_graph_starts_by_itself_unless_told_otherwise():
    assert all(p.parameters["autostart"] for p in graph.vehicle_rsu())
    assert not any(p.parameters["autostart"] for p in graph.vehicle_rsu(autostart=False))


def test_what_is_unknown_or_out_of_range_is_refused_with_a_sentence():
    with pytest.raises(SemcomError, match="did you mean 'payload_bytes'"):
        graph.vehicle_rsu(payload_byte=300)
    with pytest.raises(SemcomError, match="it must be 128 to 1200"):
        graph.vehicle_rsu(payload_bytes=5)
    for namespace in ("vehicle_1", "/vehicle 1", "/", ""):
        with pytest.raises(SemcomError, match=f"The namespace is '{namespace}'"):
            graph.vehicle_rsu(namespace)


@pytest.mark.parametrize("data", ["scenes:1", "1e3", "true", "folder:/a b/'c' \"d\"/é", "~"])
def test_a_command_gives_every_value_to_the_node_as_it_is(data):
    camera = graph.vehicle_rsu("/fleet/car_2", data=data)[0]
    line = graph.command(camera)
    assert line[:4] == [sys.executable, "-m", "semcom_ros.nodes", "camera_node"]
    assert "__ns:=/fleet/car_2" in line and "__node:=camera_node" in line
    given = [line[i + 1].split(":=", 1) for i, word in enumerate(line) if word == "-p"]
    assert {name: yaml.safe_load(value) for name, value in given} == camera.parameters


SHIPPED = Path(graph.__file__).parent.parent / "config" / "vehicle_rsu.yaml"
GOOD = """
vehicle_1:
  channel_node:
    ros__parameters: {snr_db: 5, loss: 1e-1, use_sim_time: true}
/**:
  ros__parameters: {device: cuda, of_another: 1}
/elsewhere/their_node:
  ros__parameters: {anything: [1, 2]}
/**/vehicle_node:
  ros__parameters:
    qos_overrides: {/v/rsu/link: {subscription: {depth: 3}}}
    qos_overrides./v/camera/image_raw.subscription.reliability: reliable
"""


def test_a_file_of_parameters_may_speak_of_other_nodes_and_of_what_all_have(tmp_path: Path):
    check_file(SHIPPED)
    (tmp_path / "good.yaml").write_text(GOOD)
    check_file(tmp_path / "good.yaml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/**/rsu_node: {ros__parameters: [", "while parsing"),
        ("", "it holds no parameters of a node below"),
        ("- rsu_node", "it holds no parameters of a node below"),
        ("v: &v {inner: *v}", "recursion"),
        ("rsu_node: {max_age_s: 1.0}", "max_age_s holds no parameters of a node"),
        ("/**/rsu_node: {ros__parameters: 3}", "/rsu_node holds no parameters of"),
        ("v: {channel_node: {ros__parameters: {snr_db: high}}}", "snr_db is 'high'; it must be"),
        ("channel_node: {ros__parameters: {snr_db: 99}}", "snr_db is 99.0; it must be -20.0 to 60"),
        ("channel_node: {ros__parameters: {snr_bd: 9}}", "did you mean 'snr_db'"),
        ("channel_node: {ros__parameters: {reorder: 1}}", "it must be of type bool"),
    ],
)
def test_a_broken_file_of_parameters_is_one_sentence(text: str, reason: str, tmp_path: Path):
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(SemcomError, match=f"file {file} cannot be used: .*{reason}") as caught:
        check_file(file)
    assert "\n" not in str(caught.value)


def test_a_file_of_parameters_that_is_no_text_is_one_sentence(tmp_path: Path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name, sentence in (("binary.yaml", "cannot be used"), ("none.yaml", "used: .*No such")):
        with pytest.raises(SemcomError, match=sentence):
            check_file(tmp_path / name)
