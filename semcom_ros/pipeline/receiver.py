# SPDX-License-Identifier: Apache-2.0
"""One vehicle at the RSU: which of its payloads are let in, and what became of every one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from semcom_ros.codecs.base import REFERENCES, Codec, LinkState, Memory, Received
from semcom_ros.errors import NO_CLOCK
from semcom_ros.frame import WORK_SIZE, Camera, fit_camera
from semcom_ros.payload import (
    MAX_PAYLOAD_BYTES,
    Header,
    Payload,
    PayloadError,
    coded_bytes,
    unpack,
)
from semcom_ros.percepts import Percepts
from semcom_ros.pipeline.counters import Counters
from semcom_ros.pipeline.decodable import check_header
from semcom_ros.pipeline.drive_order import DriveOrder, Place
from semcom_ros.reconstruction import Reconstruction

CLOCK_TOLERANCE_NS = 100_000_000
"""How far the clocks of vehicle and RSU may disagree."""
SNR_HOLDS_NS = 3_000_000_000
"""How long the SNR measured with a payload stands for the link: lost ones bring no other."""
_NO_FRAME = ("malformed", "version", "codec", "model", "duplicate", "authentication")
"""Reasons of what was refused and tells nothing of the radio: it is no frame of the vehicle, or
came with one."""


@dataclass
class Arrival(Received):
    """A payload that was let in, on its way through the RSU since `at` (monotonic, s).

    source_camera: intrinsics of the vehicle's images as they were taken, None until they come;
    camera: the same at the size of work. context: whatever the caller wants back with it. rsu: at
    work on it. known: what decoding gave so far; seen: what was delivered of it so far.
    """

    receiver: Receiver = field(kw_only=True)
    source_camera: Camera | None = None
    camera: Camera = Camera(*WORK_SIZE)
    context: Any = None
    at: float = 0.0
    rsu: Any = None
    known: Reconstruction | None = None
    seen: Percepts | None = None


class Receiver:
    """The door of the RSU for one vehicle: `receive` for each packet, then `decoded`, `rejected` or
    `superseded`.

    name, codec, model: of the decoder behind it. max_age_s: older payloads are stale; 0 turns the
    comparison with the RSU's clock off. max_bytes: most `coded_bytes` of a payload. guard: opens a
    sealed payload, or raises PayloadError authentication before anything else of it is looked at;
    without one, what is sealed is refused. One thread calls `receive`.
    """

    def __init__(
        self,
        name: str,
        codec: Codec,
        model: bytes = b"",
        max_age_s: float = 1.0,
        max_bytes: int = MAX_PAYLOAD_BYTES,
        guard: Callable[[Payload], Payload] | None = None,
    ) -> None:
        self.max_age_s, self.max_bytes, self.guard = max_age_s, max_bytes, guard or _unsealed
        self.counters = Counters()
        self._order = DriveOrder(lambda count: self.counters.add("missing", count))
        self.camera: Camera | None = None
        self.expect(name, codec, model)
        self._snr_db: float | None = None
        self._measured_ns = self._now_ns = 0
        self._reported = np.zeros(3, int)

    def expect(self, name: str, codec: Codec, model: bytes) -> None:
        """Let in payloads of this codec from now on; what was kept for another's is forgotten."""
        self.name, self.codec, self.model = name, codec, model
        self._lacking = False
        self._forget_frames()

    def receive(
        self, data: bytes, now_ns: int, context: Any = None, stamp: int | None = None
    ) -> Arrival:
        """Count, unpack and admit one packet that arrived at `now_ns` of the RSU's clock.

        stamp: ns, of the message that brought it, where one did. Raises PayloadError, already
        counted as rejected.
        """
        self.counters.add("received")
        try:
            payload = self.guard(unpack(data))
            self._check_packet(payload, len(data), stamp)
            self.admit(payload, now_ns)
        except PayloadError as error:
            self.rejected(error)
            raise
        told = self.camera
        camera = fit_camera(told) if told else Camera(*WORK_SIZE)
        return Arrival(payload, self.memory, told, camera, context, receiver=self)

    def snr_db(self, now_ns: int) -> float | None:
        """The link's estimate with the newest payload that has one and was admitted, or lost.

        None where that is older than `SNR_HOLDS_NS` by the RSU's clock, which shows `now_ns`.
        """
        return self._snr_db if 0 <= now_ns - self._measured_ns <= SNR_HOLDS_NS else None

    def decoded(self) -> None:
        """Count a payload that `receive` let in as decoded to the end."""
        self.counters.add("decoded")

    def superseded(self, map_decoded: bool) -> None:
        """Count a payload that `receive` let in as given up for a newer one."""
        self.counters.add("superseded")
        if map_decoded:
            self.counters.add("maps_only")

    def rejected(self, error: PayloadError) -> None:
        """Count a payload as rejected; for one that `receive` let in and the decoder did not."""
        self.counters.reject(error.reason)
        # What was let in and could not be decoded is found out by those that lean on it.
        if error.reason == "reference":
            self._lacking = True

    def admit(self, payload: Payload, now_ns: int) -> None:
        """Raise PayloadError codec, stale, duplicate, late or lost unless the payload is news.

        What is refused changes nothing, but that what goes on with the drive tells of the link all
        the same: one that is lost its number and SNR, one that leans on what never came its
        number. Of one late or stale, it is known that it is not missing.
        """
        header = payload.header
        check_header(header, self.name, self.codec, self.model)
        # A clock that goes back is a bag that starts again: the old newest would shut all out.
        if now_ns < self._now_ns - CLOCK_TOLERANCE_NS:
            self._order.forget()
            self._forget_frames()
        self._now_ns = now_ns
        problem = self._age_problem(header.stamp, now_ns)
        if problem:
            self._order.came(header.sequence)
            raise PayloadError("stale", problem)
        place = self._order.place(header)
        # It cannot be decoded, and must not take the place of a frame that waits.
        if payload.is_lost:
            self._order.take(header, place, admitted=False)
            if place is Place.GOES_ON:
                self._measure(payload, now_ns)
            raise PayloadError("lost", f"Frame {header.sequence} was lost on the air.")
        anew = place is Place.ANEW
        if header.reference and (anew or header.reference not in self._admitted):
            self._order.take(header, place, admitted=False)
            raise PayloadError(
                "reference",
                f"Frame {header.sequence} leans on frame {header.reference}, which never came.",
            )
        if anew:
            self._forget_frames()
        self._order.take(header, place, admitted=True)
        self._measure(payload, now_ns)
        self._admitted.append(header.sequence)
        if not header.reference:
            self._lacking = False
        self._take_camera(header)

    def _check_packet(self, payload: Payload, size: int, stamp: int | None) -> None:
        """Raise PayloadError malformed where the packet is too long, or not of its message."""
        coded = coded_bytes(payload, size)
        if coded > self.max_bytes:
            raise PayloadError(
                "malformed",
                f"The payload has {coded} coded bytes, more than max_payload_bytes = "
                f"{self.max_bytes}, which one radio packet carries: raise it at the RSU, if the "
                "link takes more.",
            )
        if stamp not in (None, payload.header.stamp):
            raise PayloadError(
                "malformed",
                f"The message is stamped {stamp} ns, the payload in it {payload.header.stamp} ns: "
                "pass payloads on under the header that they came with.",
            )

    def _measure(self, payload: Payload, now_ns: int) -> None:
        if payload.snr_db is not None:
            self._snr_db, self._measured_ns = payload.snr_db, now_ns

    def _take_camera(self, header: Header) -> None:
        """Intrinsics hold until others come, for images of the size that they are told for."""
        if header.camera is not None:
            self.camera = header.camera
        elif self.camera is not None:
            size = (header.source_height, header.source_width)
            if size != (self.camera.height, self.camera.width):
                self.camera = None

    @property
    def lacking(self) -> bool:
        """Whether it waits for a frame that stands alone."""
        return self._lacking or self.memory.lacking

    def link_state(self, now_ns: int) -> LinkState:
        """What the vehicle should hear of the link since the last call; loss None where nothing
        was sent in between."""
        counts = self.counters.snapshot()
        rejected = counts["rejected"]
        arrived = counts["received"] - sum(rejected[reason] for reason in _NO_FRAME)
        seen = np.array([arrived, counts["missing"], rejected["lost"]])
        arrived, missing, lost = seen - self._reported
        self._reported = seen
        # What was missing may still come, and what came may turn out to be lost one report later.
        sent = max(arrived + missing, 0)
        loss = float(np.clip((missing + lost) / sent, 0, 1)) if sent else None
        newest = self._order.last_sequence or 0
        return LinkState(self.snr_db(now_ns), loss, newest, self.lacking)

    def _forget_frames(self) -> None:
        """Let nothing lean on what came before: another frame may take its number."""
        self.memory = Memory()
        self._admitted: deque[int] = deque(maxlen=REFERENCES)

    def _age_problem(self, stamp: int, now_ns: int) -> str:
        """What is wrong with a payload's age; "" where nothing is, or nobody looks at the clock."""
        age_ns = now_ns - stamp
        if not self.max_age_s:
            return ""
        if not now_ns:
            return NO_CLOCK
        if age_ns > self.max_age_s * 1e9:
            return (
                f"The payload is {age_ns / 1e9:.3f} s old, more than max_age_s = "
                f"{self.max_age_s:g}: check the load, the clocks, and use_sim_time for a bag."
            )
        if age_ns < -CLOCK_TOLERANCE_NS:
            return (
                f"The payload was captured {-age_ns / 1e9:.3f} s in the future: "
                "synchronise the clocks of vehicle and RSU."
            )
        return ""


def _unsealed(payload: Payload) -> Payload:
    """The guard of an RSU that checks no seals."""
    if payload.seal:
        text = "The payload is sealed, and this RSU looks at no seals: set security at both ends."
        raise PayloadError("authentication", text)
    return payload
