# SPDX-License-Identifier: Apache-2.0
"""A decoder of known duration, for what is measured of all around a decoder."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np

from semcom_ros.codecs.base import CodecEnd, Received
from semcom_ros.payload import PayloadError
from semcom_ros.pipeline.rsu import Rsu
from semcom_ros.reconstruction import Reconstruction

SIZE = (32, 64)
"""Pixels of its pictures: so small that to carry them takes no time beside the sleep."""
LABELS = np.zeros(SIZE, np.uint8)
KNOWN = Reconstruction(labels=LABELS, confidence=LABELS, support=LABELS == 0)
POISON, HANGS, ENDS = "poison", "hangs", "ends"
"""Tasks of frames that cannot be painted, that take a minute, that end the process."""


class SleepingDecoder(CodecEnd):
    """A batch of n images takes `batch_s` + n `each_s`; each is in the grey of its vehicle."""

    def __init__(self, batch_s: float = 0.0, each_s: float = 0.0) -> None:
        super().__init__()
        self.batch_s, self.each_s = batch_s, each_s

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction]:
        return [KNOWN] * len(batch)

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray | PayloadError]:
        time.sleep(self.batch_s + len(batch) * self.each_s)
        return [self._image(one) for one in batch]

    def _image(self, received: Received) -> np.ndarray | PayloadError:
        header = received.payload.header
        if header.task == POISON:
            return PayloadError("malformed", f"Frame {header.sequence} is poison.")
        if header.task == HANGS:
            time.sleep(60)
        if header.task == ENDS:
            os._exit(1)
        return np.full((*SIZE, 3), header.vehicle % 256, np.uint8)


def sleeping_rsu(batch_s: float = 0.0, each_s: float = 0.0) -> Rsu:
    """By a `SleepingDecoder`."""
    return Rsu(SleepingDecoder(batch_s, each_s))
