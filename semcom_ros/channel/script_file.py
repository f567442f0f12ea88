# SPDX-License-Identifier: Apache-2.0
"""The text of a scripted drive, CSV or YAML: points whose values know where they stand."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from semcom_ros.errors import SemcomError, choose

Row = dict[str, yaml.Node]
"""The values of a point as written, by name; there is one at least."""


def read_script(path: Path) -> Row:
    """What a .csv or .yaml file holds: `points`, and perhaps `drive` and `loop`."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".yaml", ".yml"):
        raise SemcomError(f"The script {path} is neither a .csv nor a .yaml file: name it so.")
    try:
        # A spreadsheet begins its CSV files with a byte order mark.
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SemcomError(f"The script {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SemcomError(f"The script {path} is not text in UTF-8: save it as that.") from error
    if suffix == ".csv":
        return {"points": _read_csv(path, text)}
    stream = io.StringIO(text)
    stream.name = str(path)  # which places in it then name
    try:
        root = yaml.compose(stream, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark) if error.problem_mark else path
        raise SemcomError(f"{place}: This is no YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise SemcomError(f"The script {path} is no YAML: {error}.") from error
    if root is None:
        raise SemcomError(f"The script {path} is empty: give it points, each with time_s.")
    fields = row_of(root, "The script", ("points", "drive", "loop"))
    if "points" not in fields:
        raise error_at(root, "The script has no points: list them under `points`.")
    return fields


def _read_csv(path: Path, text: str) -> yaml.Node:
    """The points of a CSV file as a YAML file would list them."""
    names: list[yaml.ScalarNode] = []
    rows = []
    reader = csv.reader(text.splitlines())
    for values in reader:
        line = reader.line_num - 1
        marks = [yaml.Mark(str(path), 0, line, i, None, 0) for i in range(len(values))]
        cells = [
            yaml.ScalarNode("", *cell) for cell in zip(map(str.strip, values), marks, strict=True)
        ]
        if not any(cell.value for cell in cells):
            continue
        if not names:
            names = cells
        elif len(cells) != len(names):
            raise error_at(
                cells[-1],
                f"The line has {len(cells)} cells and the first line names {len(names)} columns: "
                "give one cell for each, empty where a setting has no value.",
            )
        else:
            pairs = [pair for pair in zip(names, cells, strict=True) if pair[1].value]
            rows.append(yaml.MappingNode("", pairs))
    if not rows:
        raise SemcomError(
            f"The script {path} has no points: give a line of names, such as time_s,snr_db, and a "
            "line of numbers for each point."
        )
    return yaml.SequenceNode("", rows)


def points_of(node: yaml.Node, what: str) -> list[Row]:
    """The rows of a list of them."""
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise error_at(node, f"{what} must be a list of points, - {{name: value, ...}}.")
    return [row_of(each, f"A point of {what}") for each in node.value]


def row_of(node: yaml.Node, what: str, allowed: tuple[str, ...] = ()) -> Row:
    """The nodes of a mapping by name, which is one of `allowed`, if any are given."""
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise error_at(node, f"{what} must be a mapping, name: value.")
    row: Row = {}
    for key, value in node.value:
        if not isinstance(key.value, str):
            raise error_at(key, "a name must be a single value.")
        if key.value in row:
            raise error_at(key, f"'{key.value}' is named twice: remove one.")
        with located(key):
            choose(key.value, allowed or (key.value,), "part of a script")
        row[key.value] = value
    return row


def error_at(node: yaml.Node, sentence: str) -> SemcomError:
    """The error to raise for a value."""
    return SemcomError(f"{_place(node.start_mark)}: {sentence}")


@contextmanager
def located(node: yaml.Node) -> Iterator[None]:
    """Add the place to any SemcomError about this value."""
    try:
        yield
    except SemcomError as error:
        raise error_at(node, str(error)) from None


def _place(mark: yaml.Mark) -> str:
    """File, line and column; of a CSV file: which cell."""
    return f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}"
