# SPDX-License-Identifier: Apache-2.0
"""README and docs: what they point at is there, and README's topics are those of the nodes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NODES = sorted(path.stem for path in (ROOT / "semcom_ros" / "nodes").glob("*_node.py"))


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), f"{page.name} points at {target}"
        assert there.is_dir() or there.stat().st_size, f"{page.name} points at nothing in {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} points at {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_of_the_repository_is_there(page):
    tops = "semcom_ros|config|launch|tools|requirements|test|docs"
    for path in re.findall(rf"`((?:{tops})/[\w/.]+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name} names {path}"


def topics_of(node: str) -> set[tuple[str, str, str]]:
    """Direction, topic and type of what a node's source publishes and subscribes to."""
    from semcom_ros.nodes.rsu_outputs import OUTPUTS

    folder = ROOT / "semcom_ros" / "nodes"
    text = (folder / f"{node}.py").read_text()
    found = set()
    if node == "rsu_node":
        for part in ("rsu_outputs", "served_vehicle", "camera_places"):
            text += (folder / f"{part}.py").read_text()
        found = {("out", topic, kind.__name__) for topic, (kind, *_) in OUTPUTS.items()}
    call = r'\.{}\(\s*(?:\w+\.)*(\w+),\s*"([^"]+)"'
    for way, method in (("in", "subscribe"), ("out", "publisher")):
        found |= {(way, topic, kind) for kind, topic in re.findall(call.format(method), text)}
    return found


@pytest.mark.parametrize("node", NODES)
def test_readme_has_every_topic_of_a_node_with_its_type(node):
    pytest.importorskip("rclpy", reason="ROS 2 is not installed: make setup")
    section = re.search(rf"^### `{node}`\n(.*?)^##", (ROOT / "README.md").read_text(), re.M | re.S)
    rows = re.findall(r"^\| (in|out) \| `([^`]+)` \| (\w+) \|", section[1], re.MULTILINE)
    assert set(rows) == topics_of(node)


def test_the_page_of_faults_has_all_32_and_names_tests_and_soaks_that_are_there():
    page = (ROOT / "docs" / "reliability.md").read_text()
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == [str(n) for n in range(1, 33)]
    tests = "\n".join(path.read_text() for path in (ROOT / "test").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", page):
        assert f"def {name}(" in tests, name
    soaks = (ROOT / "semcom_ros" / "lab" / "soak" / "soaks.py").read_text()
    for name in re.findall(r"`semcom soak (\w+)`", page):
        assert name in ("list", "NAME") or f'"{name}": Soak(' in soaks, name
