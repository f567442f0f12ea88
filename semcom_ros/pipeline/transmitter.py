# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of the link: frames in, payloads out."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import BudgetError, Codec, Encoder, LinkState, Request
from semcom_ros.errors import SemcomError
from semcom_ros.frame import WORK_SIZE, Camera, Frame, fit
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, Payload, header_bytes

SEQUENCES = 2**32
REFRESH_EVERY = 30
"""Frames from one that stands alone to the next."""
LEAST_BYTES = 256
"""What a rare seal leaves for the parts of a frame, where they would have as much without it."""
Segment = Callable[[np.ndarray], np.ndarray]
"""Images uint8 [B, H, W, 3] to labels uint8 [B, H, W] trainId."""


class Sent(NamedTuple):
    """A payload, and the frame at the size of work, with its labels, that it was made of."""

    payload: Payload
    frame: Frame


class SealPlan(Protocol):
    """How the next payload is sealed: `seal` puts in exactly the bytes that are told before.

    fixed: bytes of its seal, whatever the parts are. each: more, for each part. rare: more, with
    this payload and few others.
    """

    fixed: int
    each: int
    rare: int

    def seal(self, payload: Payload) -> Payload:
        """The payload with its seal, its parts perhaps encrypted."""


class Transmitter:
    """Alone builds headers and counts frames and overhead of one vehicle, by the link's report.

    encoder: of `codec`, which is a name of the registry, or what a study named `name` brings.
    segment: labels frames that come without, where the codec wants them. sealer: plans the seal of
    the payload with a header; without one, payloads have none.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        segment: Segment | None = None,
        codec: Codec | None = None,
        vehicle: int = 0,
        sealer: Callable[[Header], SealPlan] | None = None,
    ) -> None:
        self.segment, self.vehicle, self.sealer = segment, vehicle, sealer
        self.link: LinkState | None = None
        self.sequence = 1
        self._at_work = threading.Lock()
        self.use(name, encoder, codec)

    def use(self, name: str, encoder: Encoder, codec: Codec | None = None) -> None:
        """Encode by `encoder` of the codec called `name` from the next frame on.

        Waits for the frame at work in another thread, which is all of one codec.
        """
        with self._at_work:
            self.name, self.encoder, self.codec = name, encoder, codec or codec_of(name)
            self._refreshed: int | None = None
            self._camera: Camera | None = None
            self._last = 0

    def report(self, link: LinkState) -> None:
        """Go by what the RSU says of the link from the next frame on."""
        self.link = link

    def transmit(
        self, frame: Frame, payload_bytes: int, task: str = "", refresh_every: int = REFRESH_EVERY
    ) -> Sent:
        """The payload of a frame of any size, at most `payload_bytes` where the codec keeps to it.

        What is `rare` of a seal leaves the parts `LEAST_BYTES`, on top of `payload_bytes` if need
        be: a setting that the others fit in must do for those that make them possible.

        One frame in `refresh_every` stands alone and tells the intrinsics, and so does the first,
        one that the RSU asks for and one of another camera. Raises SemcomError where the frame
        cannot be sent; it then takes no number.
        """
        with self._at_work:
            return self._transmit(frame, payload_bytes, task, refresh_every)

    def _transmit(self, frame: Frame, payload_bytes: int, task: str, refresh_every: int) -> Sent:
        task = self.encoder.read(task).instruction
        (height, width), camera = frame.image.shape[:2], _told(frame)
        frame = frame if (height, width) == WORK_SIZE else fit(frame)
        if self.codec.sends_labels and frame.labels is None and self.segment is not None:
            frame = replace(frame, labels=self.segment(frame.image[np.newaxis])[0])
        refresh = self._refresh_due(refresh_every)
        header = Header(
            self.name,
            self.codec.version,
            self.encoder.model,
            *WORK_SIZE,
            LABEL_SPACE if self.codec.sends_labels else "",
            self.sequence,
            frame.stamp,
            task,
            self.vehicle,
            self._last if self.codec.leans and not refresh else 0,
            height,
            width,
            camera if refresh or camera != self._camera else None,
        )
        left, each = payload_bytes - header_bytes(header), 0
        plan = self.sealer(header) if self.sealer else None
        if plan:
            left, each = left - plan.fixed, plan.each
            left = max(left - plan.rare, min(left, LEAST_BYTES))
        request = Request.of_bytes(
            left, task=task, link=self.link, refresh=refresh, seal_bytes=each
        )
        try:
            parts = self.encoder.encode(frame, request)
        except BudgetError as error:
            raise SemcomError(
                f"This frame needs {payload_bytes - left + error.needed} bytes with codec "
                f"'{self.name}', the setting is {payload_bytes}: raise payload_bytes."
            ) from None
        self._sent(refresh, camera)
        payload = Payload(header, parts)
        return Sent(plan.seal(payload) if plan else payload, frame)

    def _refresh_due(self, every: int) -> bool:
        if self._refreshed is None or (self.link is not None and self.link.refresh):
            return True
        return (self.sequence - self._refreshed) % SEQUENCES >= every

    def _sent(self, refresh: bool, camera: Camera | None) -> None:
        if refresh:
            self._refreshed = self.sequence
            if self.link is not None:  # asked once, answered once
                self.link = replace(self.link, refresh=False)
        self._camera, self._last = camera, self.sequence
        # 0 is no number: as a reference it says that a frame stands alone.
        self.sequence = self.sequence % (SEQUENCES - 1) + 1


def _told(frame: Frame) -> Camera | None:
    """The frame's intrinsics as they cross; None where they are not known or of another size."""
    camera = frame.camera
    if camera is None or (camera.height, camera.width) != frame.image.shape[:2]:
        return None
    numbers = (*camera.matrix, *camera.distortion, *(camera.mounting or ()))
    return camera if all(map(math.isfinite, numbers)) else None
