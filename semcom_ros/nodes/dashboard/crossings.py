# SPDX-License-Identifier: Apache-2.0
"""What crossed the air, frame by frame: its bytes, its parts, and what of them arrived."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CompressedImage

from semcom_ros.channel.packets.airtime import bytes_on_air
from semcom_ros.nodes.messages import stamp_ns
from semcom_ros.payload import Payload, PayloadError, unpack

WINDOW_S = 30.0
"""How far back the timeline goes."""
LATE_S = 1.0
"""A frame that has not come by then counts as lost."""


@dataclass
class Crossing:
    """One frame: when it was first heard of (system's clock, s), bytes, parts, and those that were
    lost, None until anything of it has arrived. snr_db: as the receiver measured it."""

    at: float
    bytes: int = 0
    parts: int = 0
    lost: int | None = None
    snr_db: float | None = None

    def outcome(self, now: float) -> str:
        """One of "arrived", "damaged", "lost" and, while it may come yet, "sent"."""
        if self.lost is None:
            return "lost" if now - self.at > LATE_S else "sent"
        if self.parts and self.lost >= self.parts:
            return "lost"
        return "damaged" if self.lost else "arrived"


class Crossings:
    """Those of one vehicle over the window, by capture stamp."""

    def __init__(self) -> None:
        self._frames: dict[int, Crossing] = {}
        self.codec = ""
        self.newest = 0.0
        """When a frame last arrived, 0 before the first."""

    def sent(self, message: CompressedImage, came_ns: int) -> None:
        """A payload left the vehicle."""
        payload, frame = self._note(message, came_ns)
        frame.bytes, frame.parts = len(message.data), 0
        if payload:
            frame.bytes = bytes_on_air(payload, frame.bytes)
            frame.parts, self.codec = len(payload.parts), payload.header.codec

    def arrived(self, message: CompressedImage, came_ns: int) -> None:
        """What is left of it came out of the radio."""
        payload, frame = self._note(message, came_ns)
        frame.bytes = frame.bytes or len(message.data)
        # Bytes that are no payload have come, and not as they were.
        frame.lost = sum(part.erased for part in payload.parts) if payload else 1
        if payload:
            frame.parts, frame.snr_db = len(payload.parts), payload.snr_db
            if frame.lost < max(1, frame.parts):
                self.newest = came_ns / 1e9

    def timeline(self) -> list[list[float | int | str | None]]:
        """Of each frame in the window: age in s, bytes, parts, parts lost, outcome, SNR in dB."""
        now = time.time()
        self._frames = {k: f for k, f in self._frames.items() if now - f.at < WINDOW_S}
        return [
            [round(now - f.at, 2), f.bytes, f.parts, f.lost, f.outcome(now),
             None if f.snr_db is None else round(f.snr_db, 1)]
            for f in self._frames.values()
        ]  # fmt: skip

    def totals(self) -> dict[str, float | None]:
        """Of the last five seconds: bytes a frame, kbit/s, frames a second, share lost (None of
        nothing)."""
        now = time.time()
        recent = [f for f in self._frames.values() if now - f.at < 5.0]
        if not recent:
            return {"bytes": 0, "kbps": 0.0, "rate_hz": 0.0, "lost": None}
        span = max(1.0, now - recent[0].at)
        sizes = [f.bytes for f in recent]
        lost = sum(f.outcome(now) == "lost" for f in recent) / len(recent)
        return {
            "bytes": int(np.median(sizes)),
            "kbps": round(8e-3 * sum(sizes) / span, 1),
            "rate_hz": round(len(recent) / span, 1),
            "lost": round(lost, 3),
        }

    def _note(self, message: CompressedImage, came_ns: int) -> tuple[Payload | None, Crossing]:
        frame = self._frames.setdefault(stamp_ns(message.header), Crossing(came_ns / 1e9))
        try:
            return unpack(bytes(message.data)), frame
        except PayloadError:
            return None, frame
