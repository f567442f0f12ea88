# SPDX-License-Identifier: Apache-2.0
"""Drives of Cityscapes as they were recorded: with the time, the mounting and the motion."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from semcom_ros.datasets.cityscapes import Cityscapes
from semcom_ros.datasets.files import existing
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, Mounting

GAP_NS = 2 * 10**9
"""From the last frame of one snippet to the first of the next."""


class Motion(NamedTuple):
    """What the car said of itself: metres a second ahead, and radians a second to the left."""

    speed: float
    yaw_rate: float


class DriveFrame(NamedTuple):
    """A frame of a drive. stamp: ns since the start of the bag. follows: whether the frame before
    is of the same snippet."""

    frame: Frame
    file: Path
    follows: bool
    mounting: Mounting | None
    motion: Motion | None


class CityscapesDrive(Cityscapes):
    """One split, as snippets where `leftImg8bit_sequence` is there, else the labelled frames.

    Snippets have the times of `timestamp_sequence`, or 17 Hz without, and stand `GAP_NS` apart; the
    labelled frames of `leftImg8bit` are of no one drive, and follow each other at 10 Hz. only:
    lists of cities or of snippets such as frankfurt_000000; a frame must be of one in each. wanted:
    of labels, depth and odometry. Raises SemcomError where a folder that this needs is missing.
    """

    labelled = False

    def __init__(
        self, where: str, split: str, only: Collection[list[str]], wanted: Collection[str]
    ) -> None:
        super().__init__(where, split, (existing(where) / "leftImg8bit_sequence").is_dir())
        self._needed("camera")
        if "labels" in wanted and not self._truth:
            self._needed("gtFine")
        if "depth" in wanted and not self._disparities:
            self._needed("disparity_sequence" if self._sequence else "disparity")
        self._vehicle = "vehicle_sequence" if self._sequence else "vehicle"
        if "odometry" in wanted:
            self._needed(self._vehicle)
        # What is not wanted is not read.
        self._vehicle = self._vehicle if "odometry" in wanted else ""
        self._truth = self._truth if "labels" in wanted else ""
        self._disparities = self._disparities if "depth" in wanted else []
        for names in only:
            kept = [f for f in self._files if any(f.name.startswith(f"{n}_") for n in names)]
            for name in names:
                if not any(file.name.startswith(f"{name}_") for file in kept):
                    there = ", ".join(dict.fromkeys(f.parent.name for f in self._files))
                    raise SemcomError(f"'{where}' has no '{name}' in {split}: there are {there}.")
            self._files = kept

    def frames(self, start_ns: int) -> Iterator[DriveFrame]:
        """Every frame; the first has the stamp `start_ns`."""
        stamp, time, before = start_ns - GAP_NS, 0, ("", "", 0)
        for index, file in enumerate(self._files):
            city, snippet, number = file.name.split("_")[:3]
            follows = before == (city, snippet, int(number) - 1)
            if self._sequence:
                last, time = time, self._time(file)
                stamp += time - last if follows else GAP_NS
            else:
                stamp = start_ns + round(index * 1e9 / self.rate_hz)
            before = city, snippet, int(number)
            mounting = self._calibration(file).mounting
            motion = self._motion(file) if self._vehicle else None
            yield DriveFrame(self.frame(file, stamp), file, follows, mounting, motion)

    def _time(self, file: Path) -> int:
        """Of a frame in its snippet, in ns."""
        kind = "timestamp_sequence"
        if not self._folder(kind).is_dir():
            return round(int(file.name.split("_")[2]) * 1e9 / self.rate_hz)
        path = self._needed(kind, self._beside(file, kind))
        try:
            return int(path.read_text())
        except ValueError as error:
            raise SemcomError(f"'{path}' holds no whole number of ns: {error}.") from error

    def _motion(self, file: Path) -> Motion:
        path = self._needed(self._vehicle, self._beside(file, self._vehicle))
        try:
            values = json.loads(path.read_text())
            return Motion(float(values["speed"]), float(values["yawRate"]))
        except (ValueError, KeyError, TypeError) as error:
            raise SemcomError(
                f"The vehicle file '{path}' cannot be used ({error!r}): it must hold speed and "
                "yawRate."
            ) from error
