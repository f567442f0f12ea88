# SPDX-License-Identifier: Apache-2.0
"""The text of a scripted drive, CSV or YAML: rows of cells that know where they stand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from semcom_ros.errors import SemcomError, choose


class Cell(NamedTuple):
    """One value as written, and its place: file, line and column (of a CSV file: which cell)."""

    text: str
    place: str

    def error(self, sentence: str) -> SemcomError:
        """The error to raise for this value."""
        return SemcomError(f"{self.place}: {sentence}")

    @contextmanager
    def located(self) -> Iterator[None]:
        """Add the place to any SemcomError about this value."""
        try:
            yield
        except SemcomError as error:
            raise self.error(str(error)) from None


Row = dict[str, Cell]


class ScriptFile(NamedTuple):
    """What a file holds: rows of at least one cell each, whose meaning is not checked yet."""

    points: list[Row]
    drive: Row | list[Row] | None = None
    loop: bool = False


def read_script_file(path: Path) -> ScriptFile:
    """Read a .csv, .yaml or .yml file. Raises SemcomError naming the place of what is wrong."""
    readers = {".csv": _read_csv, ".yaml": _read_yaml, ".yml": _read_yaml}
    if path.suffix.lower() not in readers:
        raise SemcomError(f"The script {path} is neither a .csv nor a .yaml file: name it so.")
    try:
        # A spreadsheet begins its CSV files with a byte order mark.
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SemcomError(f"The script {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SemcomError(f"The script {path} is not text in UTF-8: save it as that.") from error
    return readers[path.suffix.lower()](text, str(path))


def _read_csv(text: str, path: str) -> ScriptFile:
    names: list[Cell] = []
    rows: list[Row] = []
    reader = csv.reader(text.splitlines())
    for values in reader:
        places = [f"{path}, line {reader.line_num}, column {i + 1}" for i in range(len(values))]
        cells = [Cell(v.strip(), place) for v, place in zip(values, places, strict=True)]
        if not any(cell.text for cell in cells):
            continue
        if not names:
            names = cells
            _refuse_repeated(names)
        elif len(cells) != len(names):
            raise cells[-1].error(
                f"The line has {len(cells)} cells and the first line names {len(names)} columns: "
                "give one cell for each, empty where a setting has no value."
            )
        else:
            pairs = zip(names, cells, strict=True)
            rows.append({name.text: cell for name, cell in pairs if cell.text})
    if not rows:
        raise SemcomError(
            f"The script {path} has no points: give a line of names, such as time_s,snr_db, and a "
            "line of numbers for each point."
        )
    return ScriptFile(rows)


def _read_yaml(text: str, path: str) -> ScriptFile:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        place = _place(path, error.problem_mark)
        raise SemcomError(f"{place}: This is no YAML: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise SemcomError(f"The script {path} is no YAML: {error}.") from error
    if root is None:
        raise SemcomError(f"The script {path} is empty: give it points, each with time_s.")
    yaml_file = _Yaml(path)
    fields = yaml_file.mapping(root, "The script", ("points", "drive", "loop"))
    if "points" not in fields:
        raise yaml_file.error(root, "The script has no points: list them under `points`.")
    drive = fields.get("drive")
    if isinstance(drive, yaml.SequenceNode):
        drive_rows = yaml_file.rows(drive, "drive")
    else:
        drive_rows = yaml_file.row(drive, "drive") if drive is not None else None
    loop = yaml_file.cell(fields["loop"], "loop") if "loop" in fields else None
    if loop is not None and loop.text.lower() not in ("true", "false"):
        raise loop.error(f"loop is '{loop.text}'; it must be true or false.")
    points = yaml_file.rows(fields["points"], "points")
    return ScriptFile(points, drive_rows, loop is not None and loop.text.lower() == "true")


class _Yaml:
    """Takes apart the nodes of one YAML file, which know their places as loaded values do not."""

    def __init__(self, path: str) -> None:
        self._path = path

    def error(self, node: yaml.Node, sentence: str) -> SemcomError:
        return SemcomError(f"{_place(self._path, node.start_mark)}: {sentence}")

    def mapping(
        self, node: yaml.Node, what: str, allowed: tuple[str, ...] = ()
    ) -> dict[str, yaml.Node]:
        """The nodes of a mapping by name, which is one of `allowed`, if any are given."""
        if node.id != "mapping" or not node.value:
            raise self.error(node, f"{what} must be a mapping, name: value.")
        names = [self.cell(key, "a name") for key, _ in node.value]
        _refuse_repeated(names)
        for name in names if allowed else ():
            with name.located():
                choose(name.text, allowed, "part of a script")
        return {name.text: value for name, (_, value) in zip(names, node.value, strict=True)}

    def rows(self, node: yaml.Node, what: str) -> list[Row]:
        if node.id != "sequence" or not node.value:
            raise self.error(node, f"{what} must be a list of points, - {{name: value, ...}}.")
        return [self.row(each, f"A point of {what}") for each in node.value]

    def row(self, node: yaml.Node, what: str) -> Row:
        return {name: self.cell(value, name) for name, value in self.mapping(node, what).items()}

    def cell(self, node: yaml.Node, name: str) -> Cell:
        if node.id != "scalar":
            raise self.error(node, f"{name} must be a single value.")
        return Cell(node.value, _place(self._path, node.start_mark))


def _place(path: str, mark: yaml.Mark | None) -> str:
    return f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else path


def _refuse_repeated(names: list[Cell]) -> None:
    for i, name in enumerate(names):
        if name.text in [earlier.text for earlier in names[:i]]:
            raise name.error(f"'{name.text}' is named twice: remove one.")
