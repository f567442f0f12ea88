# SPDX-License-Identifier: Apache-2.0
"""What is measured, what it should be, and how far off it may be."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One line of a check's table: it holds while `measured` lies between `least` and `most`."""

    what: str
    measured: float
    wanted: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        """False where the measured value is no number."""
        return bool(self.least <= self.measured <= self.most)


def within(bound: float, what: str, measured: float, wanted: float) -> Figure:
    """A figure that may lie `bound` to either side of what is wanted."""
    return Figure(what, float(measured), float(wanted), wanted - bound, wanted + bound)
