# SPDX-License-Identifier: Apache-2.0
"""The layouts that ship: every topic is one of the README's, under its type and QoS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

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
