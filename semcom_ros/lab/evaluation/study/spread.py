# SPDX-License-Identifier: Apache-2.0
"""Values of a setting as a user writes them: one, a list, `128,256` or `-5:30:5`."""

from __future__ import annotations

import math
import re
from typing import Any

from semcom_ros.errors import SemcomError

_NUMBER = r"-?\d+(?:\.\d+)?"
_RANGE = re.compile(f"({_NUMBER}):({_NUMBER}):({_NUMBER})")
MOST = 1000
"""Values that one range may stand for."""


def spread(value: Any) -> list[Any]:
    """The values that `value` stands for: a list's own, a range's FIRST:LAST:STEP, or itself.

    A range holds its last value where the steps meet it. Raises SemcomError.
    """
    if isinstance(value, list):
        return [one for part in value for one in spread(part)]
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return [value]
    first, last, step = map(float, found.groups())
    if step <= 0 or last < first or (last - first) / step > MOST:
        raise SemcomError(
            f"The range '{value}' holds nothing, or too much: write FIRST:LAST:STEP, as -5:30:5."
        )
    steps = math.floor((last - first) / step + 1e-9)
    whole = all(number.lstrip("-").isdecimal() for number in found.groups())
    values = [first + step * i for i in range(steps + 1)]
    return [int(v) for v in values] if whole else values


def read_numbers(text: str) -> list[int | float]:
    """The numbers of `text` from a command line: `128,256` or `-5:30:5`. Raises SemcomError."""
    values = [value for part in text.split(",") for value in spread(part.strip())]
    try:
        return [_number(v) if isinstance(v, str) else v for v in values]
    except ValueError:
        raise SemcomError(
            f"'{text}' is no list of numbers: write them as 128,256 or as -5:30:5."
        ) from None


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
