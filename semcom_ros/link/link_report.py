# SPDX-License-Identifier: Apache-2.0
"""The RSU's report on the link as bytes, from host to host."""

from __future__ import annotations

import json
from typing import NamedTuple

from semcom_ros.errors import SemcomError

MOST_BYTES, MOST_VALUES, MOST_LETTERS = 8192, 64, 2048


class LinkReport(NamedTuple):
    """One status: whose, of which level (0 well, 1 warning), when (ns of the RSU's clock), what."""

    name: str
    level: int
    stamp: int
    message: str
    values: dict[str, str]

    def pack(self) -> bytes:
        """Its bytes, as JSON. Raises SemcomError where it is too long for `read`."""
        data = json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode()
        return read(data) and data


def read(data: bytes) -> LinkReport:
    """What `LinkReport.pack` gave; raises SemcomError for any other bytes."""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        name, level, stamp, message, values = found = json.loads(data)
        texts = [name, message, *values, *values.values()]
        if not all(isinstance(one, str) and len(one) <= MOST_LETTERS for one in texts):
            raise ValueError("a text is none, or too long")
        if len(values) > MOST_VALUES or {type(level), type(stamp)} != {int}:
            raise ValueError("it has too many values, or a number is none")
        if not (0 <= level <= 3 and 0 <= stamp < 2**31 * 10**9):
            raise ValueError("its level or stamp is out of range")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SemcomError(f"A report on the link cannot be read: {error}.") from None
    return LinkReport(*found)
