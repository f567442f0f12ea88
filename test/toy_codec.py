# SPDX-License-Identifier: Apache-2.0
"""A codec in one file: a tiny picture, each sent as what changed since the one before."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from semcom_ros.codecs.base import Codec, CodecEnd, Settings, setting
from semcom_ros.codecs.batches import attempt
from semcom_ros.payload import Part
from semcom_ros.reconstruction import Reconstruction


@dataclass(frozen=True)
class ToySettings(Settings):
    step: int = setting(16, "Grey levels from one of toy's to the next.", 1, 64, end="encoder")
    smooth: bool = setting(True, "Whether toy's picture is smooth between cells.", end="decoder")


@dataclass(frozen=True)
class Small(Reconstruction):
    small: np.ndarray | None = None


class Encoder(CodecEnd):
    last = None

    def encode(self, frame, request):
        small = cv2.resize(frame.image, (16, 8), interpolation=cv2.INTER_AREA)
        small -= small % self.settings.step
        base, self.last = (0 if request.refresh else self.last), small
        return (Part("image", 0, bits=(small - base).tobytes()),)


class Decoder(Encoder):
    def decode_labels(self, batch):
        return [attempt(self.restored, received) for received in batch]

    def restored(self, received):
        change = np.frombuffer(received.payload.bits("image"), np.uint8)
        reference = received.payload.header.reference
        known = received.memory.recall(reference).small if reference else 0
        return Small(small=change.reshape(8, 16, 3) + known)

    def decode_images(self, batch, known):
        way = cv2.INTER_LINEAR if self.settings.smooth else cv2.INTER_NEAREST
        return [cv2.resize(one.small, (512, 256), interpolation=way) for one in known]


CODEC = Codec("toy_codec:Encoder", "toy_codec:Decoder", 1, False, ToySettings, leans=True)
