# SPDX-License-Identifier: Apache-2.0
"""A scripted drive: settings of the radio as functions of time, or of the distance to the RSU.

A CSV file has a column `time_s` and one for each setting, such as `snr_db`; a cell may be empty.
A YAML file has the same as a list of `points`, may `loop`, and may give its points by `distance_m`
instead if it also has a `drive`, which says how far from the RSU the vehicle is at what time:

    loop: true
    drive: {start_m: 300, speed_kmh: 50, offset_m: 10}   # or [{time_s: 0, distance_m: 300}, ...]
    points:
      - {distance_m: 10, snr_db: 25}
      - {distance_m: 300, snr_db: 0}

That vehicle starts `start_m` before the RSU on a straight road which passes it at `offset_m`;
looped, it starts again when it is as far behind. Its speed is the radio's too, unless the points
set that.

A drive begins when the script is set. What the script names, an SNR for one, goes by the script
alone: what the user has set for it counts again once there is no script.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

from semcom_ros.channel.parameters import PARAMETERS
from semcom_ros.channel.script_file import Row, error_at, located, points_of, read_script, row_of
from semcom_ros.errors import SemcomError, choose
from semcom_ros.parameter import Value

_Course = tuple[list[float], list[float]]
"""Positions, growing, and the values there."""
_Distance = Callable[[float], float]
"""The distance to the RSU in m at a time in s."""
_MISSING = {
    "time_s": "Points by distance_m need a drive beside them, in a YAML file.",
    "distance_m": "Beside a drive, points are given by distance_m.",
    "start_m": "Give the metres before the RSU at which the drive starts.",
    "speed_kmh": "Give the speed of the drive.",
}
"""What to do where a number is missing."""
_BETWEEN = (1e-6, 0.5, 1 - 1e-6)
"""Where settings are checked between two points; beside them, because 0 often means none."""


class Script:
    """What the radio is set to at each moment of a drive.

    courses: the values of each setting over time in s or, where `distance_m` gives the distance to
    the RSU in m at a time in s, over that distance. period_s: after which all begins again. path:
    the file that errors name.
    """

    def __init__(
        self,
        path: str | Path,
        courses: dict[str, _Course],
        distance_m: _Distance | None = None,
        period_s: float | None = None,
    ) -> None:
        self._path, self._courses = path, courses
        self._distance_m, self._period_s = distance_m, period_s

    @classmethod
    def load(cls, path: str | Path) -> Script:
        """Read a .csv or .yaml file, in which ~ is the home folder.

        Raises SemcomError with the place of what is wrong in it.
        """
        path = Path(os.path.expanduser(path))
        fields = read_script(path)
        drive, loop = fields.get("drive"), fields.get("loop")
        if loop is not None and str(loop.value).lower() not in ("true", "false"):
            raise error_at(loop, f"loop is '{loop.value}'; it must be true or false.")
        points = points_of(fields["points"], "points")
        courses = _read_courses(points, "time_s" if drive is None else "distance_m")
        if drive is None:
            distance_m, period_s = None, _number("time_s", points[-1]["time_s"])
        elif isinstance(drive, yaml.SequenceNode):
            distance_m, period_s = _tabled_drive(points_of(drive, "drive"))
        else:
            speed_kmh, distance_m, period_s = _straight_drive(row_of(drive, "drive"))
            start = next(iter(courses.values()))[0][:1]
            courses.setdefault("speed_kmh", (start, [speed_kmh]))
        if loop is None or loop.value.lower() == "false":
            return cls(path, courses, distance_m)
        if not period_s:
            raise SemcomError(f"{path}: The drive lasts 0 s: give it a time, or do not loop it.")
        return cls(path, courses, distance_m, period_s)

    def at(self, time_s: float) -> dict[str, Value]:
        """Every setting of the script `time_s` after the drive began.

        In between points a setting is linear, a whole number rounded; beyond them it stays as it is
        at the last.
        """
        if self._period_s is not None:
            time_s %= self._period_s
        position = time_s if self._distance_m is None else self._distance_m(time_s)
        return self._values(position)

    def check(self, check: Callable[[dict[str, Value]], object]) -> None:
        """Call `check` with the settings at every point and at some positions in between.

        Raises SemcomError, with the file and the position added, where `check` does.
        """
        points = sorted({position for course in self._courses.values() for position in course[0]})
        between = [a + (b - a) * share for a, b in pairwise(points) for share in _BETWEEN]
        for position in sorted([*points, *between]):
            try:
                check(self._values(position))
            except SemcomError as error:
                place = f"{position:g} " + ("s" if self._distance_m is None else "m from the RSU")
                raise SemcomError(f"{self._path}: At {place}: {error}") from None

    def _values(self, position: float) -> dict[str, Value]:
        values = {name: _on(course, position) for name, course in self._courses.items()}
        return {name: round(v) if _is_whole(name) else v for name, v in values.items()}


def _is_whole(name: str) -> bool:
    return type(PARAMETERS[name].default) is int


def _on(course: _Course, position: float) -> float:
    return float(np.interp(position, *course))


def _read_courses(rows: list[Row], by: str) -> dict[str, _Course]:
    """The course of every setting through the points that name it."""
    courses: dict[str, _Course] = {}
    for row, position in zip(rows, _growing(rows, by), strict=True):
        for name, node in row.items():
            if name != by:
                positions, values = courses.setdefault(name, ([], []))
                positions.append(position)
                values.append(_setting(name, node))
    if not courses:
        raise error_at(rows[0][by], "The points set nothing: give them values, such as an snr_db.")
    return courses


def _tabled_drive(rows: list[Row]) -> tuple[_Distance, float]:
    """The distance by a table of points, and the time of the last one."""
    for row in rows:
        _refuse_others(row, ("time_s", "distance_m"))
    course = _growing(rows, "time_s"), [_required(row, "distance_m") for row in rows]
    return lambda time_s: _on(course, time_s), course[0][-1]


def _straight_drive(row: Row) -> tuple[float, _Distance, float]:
    """Speed in km/h, distance, and the time until it is as far behind the RSU as it was before."""
    _refuse_others(row, ("start_m", "speed_kmh", "offset_m"))
    start_m, speed_kmh = _required(row, "start_m"), _required(row, "speed_kmh")
    offset_m = _required(row, "offset_m") if "offset_m" in row else 0.0
    _setting("speed_kmh", row["speed_kmh"])
    if not speed_kmh:
        raise error_at(row["speed_kmh"], "speed_kmh is 0: the vehicle must move, or use time_s.")
    speed = speed_kmh / 3.6
    return speed_kmh, lambda t: math.hypot(start_m - speed * t, offset_m), 2 * start_m / speed


def _setting(name: str, node: yaml.Node) -> float:
    # All but the frame rate, by which the script's own time goes.
    settable = [p.name for p in PARAMETERS.values() if type(p.default) in (float, int)]
    settable.remove("rate_hz")
    with located(node):
        choose(name, settable, "setting for a script")
        value = _number(name, node)
        PARAMETERS[name].check(round(value) if _is_whole(name) else value)
        return value


def _growing(rows: list[Row], by: str) -> list[float]:
    """The number `by` of every point, each more than the one before and none below 0."""
    values = [_required(row, by) for row in rows]
    for row, (before, value) in zip(rows[1:], pairwise(values), strict=True):
        if value <= before:
            raise error_at(row[by], f"{by} is {value:g}; it must grow from the {before:g} before.")
    return values


def _required(row: Row, name: str) -> float:
    """The number `name` of a point, at least 0."""
    if name not in row:
        raise error_at(next(iter(row.values())), f"There is no {name} here. {_MISSING[name]}")
    with located(row[name]):
        value = _number(name, row[name])
        if value < 0:
            raise SemcomError(f"{name} is {value:g}; it must be 0 or more.")
    return value


def _number(name: str, node: yaml.Node) -> float:
    if not isinstance(node, yaml.ScalarNode):
        raise SemcomError(f"{name} must be a single value.")
    try:
        value = float(node.value)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SemcomError(f"{name} is '{node.value}'; it must be a number.")
    return value


def _refuse_others(row: Row, allowed: tuple[str, ...]) -> None:
    for name, node in row.items():
        with located(node):
            choose(name, allowed, "part of a drive")
