# SPDX-License-Identifier: Apache-2.0
"""The floor plan: who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "semcom_ros"
ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / PACKAGE).rglob("*.py"))
ROS = re.compile(
    r"(rclpy|launch|launch_ros|ament_index_python|domain_coordinator|\w+_msgs|\w+_interfaces)(\.|$)"
)
MAX_LINES = 300


def parts_of(path: Path) -> tuple[str, ...]:
    """A module's place in the package: ("codecs", "gesco", "encoder")."""
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {parts_of(path) for path in FILES}


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Full names of everything that a file imports, wherever in it, for types too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(found)


def inner_imports(path: Path) -> Iterator[tuple[str, ...]]:
    """Of those, the package's own modules by their place."""
    for name in imports_of(path):
        top, *parts = name.split(".")
        if top == PACKAGE and parts:
            place = tuple(parts)
            while place not in MODULES:
                place = place[:-1]
            yield place


FOLDERS = sorted({path.parent for path in FILES})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.relative_to(ROOT).as_posix())
def test_nothing_in_a_folder_imports_what_imports_it(folder: Path) -> None:
    above = folder.relative_to(ROOT / PACKAGE).parts
    graph: dict[str, set[str]] = {}
    for path in FILES:
        own = parts_of(path)
        if own[: len(above)] != above or len(own) <= len(above):
            continue
        mine = own[len(above)]
        for other in inner_imports(path):
            if other[: len(above)] == above and len(other) > len(above):
                graph.setdefault(mine, set()).add(other[len(above)])
        graph.get(mine, set()).discard(mine)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"In {folder.name}/: {' imports '.join(reversed(error.args[1]))}.")


def test_the_road_never_imports_the_lab() -> None:
    """`cli` names the lab's commands as texts, and imports them when called."""
    for path in FILES:
        if parts_of(path)[:1] != ("lab",):
            assert not [i for i in inner_imports(path) if i[:1] == ("lab",)], path


def test_nodes_alone_know_ros() -> None:
    for path in FILES:
        if parts_of(path)[:1] != ("nodes",):
            assert not [name for name in imports_of(path) if ROS.match(name)], path


def test_ray_is_imported_by_what_was_asked_for_it_and_never_with_a_module() -> None:
    for path in FILES:
        if [name for name in imports_of(path) if name.split(".")[0] == "ray"]:
            assert parts_of(path)[0] == "cluster" or parts_of(path)[:2] == ("lab", "soak"), path
            lines = path.read_text().splitlines()
            assert not [line for line in lines if line.startswith(("import ray", "from ray"))], path


def test_the_package_declares_what_it_imports_of_ros() -> None:
    declared = re.findall(r"<exec_depend>(\w+)<", (ROOT / "package.xml").read_text())
    used = {name.split(".")[0] for path in FILES for name in imports_of(path) if ROS.match(name)}
    assert used <= set(declared)


def test_tests_mirror_the_package() -> None:
    for path in (ROOT / "test").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "test")
        assert (ROOT / PACKAGE / folder).is_dir(), f"{path} tests no folder of the package"


def test_no_file_is_longer_than_a_reader_holds_in_mind() -> None:
    for path in (*FILES, *(ROOT / "test").rglob("*.py")):
        assert len(path.read_text().splitlines()) <= MAX_LINES, path


def test_no_class_name_stands_for_two_things() -> None:
    """But the two ends of every codec, which the registry tells apart."""
    names = Counter(
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    twice = {name for name, count in names.items() if count > 1}
    assert twice <= {"Encoder", "Decoder"}, twice
