# SPDX-License-Identifier: Apache-2.0
"""Both ends of a codec that a study makes for itself, as one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from semcom_ros.codecs.base import Codec, CodecEnd, Received
from semcom_ros.codecs.batches import attempt
from semcom_ros.lab.evaluation.study.systems import System
from semcom_ros.payload import Payload, PayloadError
from semcom_ros.reconstruction import Reconstruction


class StudyCodec(CodecEnd):
    """A subclass has `encode`, `image` and, where the RSU gets a map, `labels`."""

    sends_labels = leans = hears_snr = False

    def system(self, codec: str, setting: int | None = None, **more: Any) -> System:
        """The system around it; more: as `System` has it."""
        ways = {"leans": self.leans, "hears_snr": self.hears_snr}
        contract = Codec("", "", 1, self.sends_labels, **ways)
        return System(codec, setting, contract, self, self, **{"name": codec, **more})

    def decode_labels(self, batch: Sequence[Received]) -> list[Reconstruction | PayloadError]:
        return [attempt(self.labels, one.payload) for one in batch]

    def decode_images(
        self, batch: Sequence[Received], known: Sequence[Reconstruction]
    ) -> list[np.ndarray | None | PayloadError]:
        return [attempt(self.image, *both) for both in zip(batch, known, strict=True)]

    def labels(self, payload: Payload) -> Reconstruction:
        """What is known before the image. Raises PayloadError."""
        return Reconstruction()
