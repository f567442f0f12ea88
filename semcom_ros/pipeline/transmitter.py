# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of the link: frames in, payloads out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from semcom_ros.codecs import codec_of
from semcom_ros.codecs.base import Codec, Encoder, LinkState, Request
from semcom_ros.frame import WORK_SIZE, Frame, fit
from semcom_ros.labels import LABEL_SPACE
from semcom_ros.payload import Header, Payload, header_bytes

SEQUENCES = 2**32
Segment = Callable[[np.ndarray], np.ndarray]
"""Images uint8 [B, H, W, 3] to labels uint8 [B, H, W] trainId."""


class Sent(NamedTuple):
    """A payload, and the frame at the size of work, with its labels, that it was made of."""

    payload: Payload
    frame: Frame


class Transmitter:
    """Alone builds headers and counts frames and overhead of one vehicle, by the link's report.

    encoder: of `codec`, which is a name of the registry, or what a study named `name` brings.
    segment: labels frames that come without, where the codec wants them.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        segment: Segment | None = None,
        codec: Codec | None = None,
    ) -> None:
        self.name, self.encoder, self.segment = name, encoder, segment
        self.codec = codec or codec_of(name)
        self.sequence = 0
        self.link: LinkState | None = None

    def report(self, link: LinkState) -> None:
        """Go by what the RSU says of the link from the next frame on."""
        self.link = link

    def transmit(self, frame: Frame, payload_bytes: int, task: str = "") -> Sent:
        """The payload of a frame of any size, at most `payload_bytes` where the codec keeps to it.

        Raises SemcomError where the frame cannot be sent; it then takes no number.
        """
        frame = frame if frame.image.shape[:2] == WORK_SIZE else fit(frame)
        if self.codec.sends_labels and frame.labels is None and self.segment is not None:
            frame = replace(frame, labels=self.segment(frame.image[np.newaxis])[0])
        header = Header(
            self.name,
            self.codec.version,
            self.encoder.model,
            *WORK_SIZE,
            LABEL_SPACE,
            self.sequence,
            frame.stamp,
            task,
        )
        request = Request.of_bytes(
            payload_bytes - header_bytes(header),
            task=task,
            link=self.link,
            payload_bytes=payload_bytes,
        )
        payload = Payload(header, self.encoder.encode(frame, request))
        self.sequence = (self.sequence + 1) % SEQUENCES
        return Sent(payload, frame)
