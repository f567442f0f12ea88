# SPDX-License-Identifier: Apache-2.0
"""The layouts that ship: every topic is one of the README's, under its type and QoS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from semcom_ros.graph import NAMESPACE

ROOT = Path(__file__).resolve().parents[2]
SHOWN_AS = {"Image": "Image", "PointCloud2": "PointCloud2", "MarkerArray": "MarkerArray"}
"""By RViz's displays, the type that each shows."""


@pytest.fixture(scope="module")
def published() -> dict[str, tuple[str, str]]:
    """Type and QoS of every topic that a node publishes; other tests hold them to the nodes."""
    row = r"^\| out \| `([^`]+)` \| (\w+) \| (\w+) \|"
    found = re.findall(row, (ROOT / "README.md").read_text(), re.MULTILINE)
    return {topic: (kind, qos) for topic, kind, qos in found}


def displays(group: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and topic of every display that has one."""
    for display in group["Displays"]:
        if "Topic" in display:
            yield display["Class"].rpartition("/")[2], display["Topic"]


def test_rviz_asks_for_every_topic_as_it_is_offered(published):
    layout = yaml.safe_load((ROOT / "config" / "vehicle_rsu.rviz").read_text())
    shown = list(displays(layout["Visualization Manager"]))
    for display, topic in shown:
        kind, qos = published[topic["Value"]]
        assert SHOWN_AS[display] == kind, topic
        # Anybody's camera may be best effort, and offers what a best-effort listener takes.
        camera = topic["Value"].startswith("camera/")
        assert topic["Reliability Policy"] == ("Best Effort" if camera else "Reliable")
        assert topic["Durability Policy"] == ("Transient Local" if qos == "latched" else "Volatile")
        assert topic["History Policy"] == "Keep Last" and topic["Depth"] == 5
    assert {topic["Value"] for _, topic in shown} == {
        "camera/image_raw", "rsu/image", "rsu/overlay", "rsu/segmentation/color", "rsu/depth",
        "rsu/points", "rsu/markers",
    }  # fmt: skip


def test_rviz_colours_points_by_a_field_that_they_have():
    messages = pytest.importorskip("semcom_ros.nodes.messages", reason="no ROS 2 for this Python")
    layout = yaml.safe_load((ROOT / "config" / "vehicle_rsu.rviz").read_text())
    clouds = [
        display
        for display in layout["Visualization Manager"]["Displays"]
        if display["Class"].endswith("/PointCloud2")
    ]
    by_class, painted = clouds
    assert by_class["Enabled"] and by_class["Color Transformer"] == "Intensity"
    assert by_class["Channel Name"] in messages.POINT.names
    assert painted["Color Transformer"] == "RGB8" and "rgb" in messages._FIELDS


Use = tuple[str, str]
"""Topic and the type that it is shown as."""


def uses(panel: str, config: dict[str, Any]) -> Iterator[Use]:
    """What a panel of Foxglove or Lichtblick shows."""
    if panel == "Image":
        yield config["imageMode"]["imageTopic"], "Image"
        for topic in config["imageMode"]["annotations"]:
            yield topic, "ImageAnnotations"
    elif panel in ("3D", "ThreeDee"):
        for topic, how in config["topics"].items():
            yield topic, "PointCloud2" if "colorField" in how else "MarkerArray"
    elif panel == "Plot":
        for series in config["paths"]:
            yield series["value"].partition(".")[0], "DiagnosticArray"
    else:
        assert panel.startswith("Diagnostic")
        yield config["topicToRender"], "DiagnosticArray"


def panels_of_foxglove(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if content["type"] == "split":
        for item in content["items"]:
            yield from panels_of_foxglove(item["content"])
    else:
        assert content["type"] == "panel" and content["version"] == 1
        yield content["panelType"], content["config"]


def panels_of_lichtblick(
    layout: dict[str, Any] | str, configs: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(layout, str):
        yield layout.partition("!")[0], configs.pop(layout)
    else:
        assert layout["direction"] in ("row", "column") and 0 < layout["splitPercentage"] < 100
        yield from panels_of_lichtblick(layout["first"], configs)
        yield from panels_of_lichtblick(layout["second"], configs)


@pytest.fixture(params=["foxglove", "lichtblick"])
def panels(request: pytest.FixtureRequest) -> list[tuple[str, dict[str, Any]]]:
    """Kind and settings of every panel of a layout."""
    layout = json.loads((ROOT / "config" / f"{request.param}.json").read_text())
    if request.param == "foxglove":
        assert layout["version"] == 1
        return list(panels_of_foxglove(layout["content"]))
    found = list(panels_of_lichtblick(layout["layout"], layout["configById"]))
    assert not layout["configById"], "settings of panels that the layout does not have"
    return found


def test_foxglove_and_lichtblick_show_topics_that_are_there_as_what_they_are(panels, published):
    shown = {use for panel in panels for use in uses(*panel)}
    for topic, kind in shown - {("/diagnostics", "DiagnosticArray")}:
        assert topic.startswith(f"{NAMESPACE}/")
        topic = topic.removeprefix(f"{NAMESPACE}/")
        if kind == "ImageAnnotations":
            # The server for Foxglove adds them to the detections.
            assert published[topic.removesuffix("/annotations")][0] == "Detection2DArray"
        else:
            assert published[topic][0] == kind
    assert {topic.removeprefix(f"{NAMESPACE}/") for topic, _ in shown} == {
        "camera/image_raw", "rsu/segmentation/color", "rsu/image", "rsu/detections/annotations",
        "rsu/points", "rsu/markers", "rsu/link", "/diagnostics",
    }  # fmt: skip


def test_what_is_plotted_is_told_by_the_nodes(panels):
    messages = pytest.importorskip("semcom_ros.nodes.messages", reason="no ROS 2 for this Python")
    from semcom_ros.codecs.base import LinkState
    from semcom_ros.nodes.statistics import Statistics

    statistics = Statistics()
    statistics.output(0.1, 0.2)
    told = {
        "": {*messages.link_values(LinkState(), ""), "rate_hz"},
        "rsu_node": set(statistics.snapshot()),
        "vehicle_node": {*statistics.snapshot(), "bytes"},
    }
    series = [s["value"] for kind, config in panels if kind == "Plot" for s in config["paths"]]
    path = rf'\.status\[:\](?:{{name=="{NAMESPACE}/(\w+)"}})?\.values\[:\]{{key=="(\w+)"}}\.value$'
    for value in series:
        node, key = re.search(path, value).groups("")
        assert key in told[node], value
        assert (node == "") == value.startswith(f"{NAMESPACE}/rsu/link.")
    assert len(series) == 7
