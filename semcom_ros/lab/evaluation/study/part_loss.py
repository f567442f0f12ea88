# SPDX-License-Identifier: Apache-2.0
"""A link over which the first parts of a payload arrive and the others are lost."""

from __future__ import annotations

from dataclasses import replace

from semcom_ros.payload import Part, Payload


class PartLoss:
    """most: importance of the last part that arrives; 0: the most important alone."""

    def __init__(self, most: int) -> None:
        self.most = most

    def transmit(self, payload: Payload) -> Payload:
        """`payload` as it arrives."""
        parts = (
            Part(p.name, p.importance, erased=True) if p.importance > self.most else p
            for p in payload.parts
        )
        return replace(payload, parts=tuple(parts))

    def state(self) -> dict[str, str]:
        """Nothing: no symbol is on the air."""
        return {}
