# SPDX-License-Identifier: Apache-2.0
"""How a payload's bytes are split between map and image, by a table that was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from semcom_ros.codecs.sqgan.shared import LABELS_PART, MAP_TOKENS_PART
from semcom_ros.errors import SemcomError
from semcom_ros.payload import MAX_PAYLOAD_BYTES, MIN_PAYLOAD_BYTES

HEADER_BYTES = 36
"""Of a payload, by whose size the split was measured."""


@dataclass(frozen=True)
class Split:
    """settings: payload bytes, rising. map_bytes: of each, the most that the map may take (as
    tokens, with their part's overhead). map_part: how the map is sent there, a part's name."""

    settings: tuple[int, ...]
    map_bytes: tuple[int, ...]
    map_part: tuple[str, ...]

    def of(self, payload_bytes: int) -> tuple[str, int]:
        """The map's part and its bytes at any setting: bytes between two entries in proportion,
        the part of the nearest."""
        n_bytes = round(float(np.interp(payload_bytes, self.settings, self.map_bytes)))
        nearest = int(np.abs(np.subtract(self.settings, payload_bytes)).argmin())
        return self.map_part[nearest], n_bytes

    def card(self) -> list[dict[str, Any]]:
        """As it stands in the encoder's card."""
        rows = zip(self.settings, self.map_bytes, self.map_part, strict=True)
        return [{"payload_bytes": s, "map_bytes": n, "map_part": p} for s, n, p in rows]


def read(card: dict[str, Any]) -> Split:
    """The table in the encoder's `card`. Raises SemcomError where there is none that can be."""
    try:
        rows = [(r["payload_bytes"], r["map_bytes"], r["map_part"]) for r in card["split"]]
        columns: Any = zip(*rows, strict=True)
        split = Split(*columns)
        valid = (
            list(split.settings) == sorted(set(split.settings))
            and set(split.map_part) <= {LABELS_PART, MAP_TOKENS_PART}
            and all(0 < n <= s for s, n, _ in rows)
        )
    except (KeyError, TypeError):
        valid = False
    if not valid:
        raise SemcomError(
            "The card of SQ-GAN's encoder has no table of bytes for map and image: restore models/ "
            "from the repository or measure one with `semcom train sqgan --camvid DIR --stage "
            "split`."
        )
    return split


_ENDS = (MIN_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES)
HALVES = Split(_ENDS, tuple((n - HEADER_BYTES) // 2 for n in _ENDS), (MAP_TOKENS_PART,) * 2)
"""Of the paper's networks: both are tokens, and as many, as at the three rates of its figures."""
UNMEASURED = Split(_ENDS, (72, 320), (LABELS_PART,) * 2)
"""What new networks begin with, until a table is measured for them."""
