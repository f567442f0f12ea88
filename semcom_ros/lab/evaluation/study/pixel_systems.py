# SPDX-License-Identifier: Apache-2.0
"""Systems that know nothing of meaning: the image itself, sent uncoded or not sent at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom_ros.channel import Channel
from semcom_ros.channel.parameters import NONE
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame
from semcom_ros.lab.evaluation.study.links import Link
from semcom_ros.lab.evaluation.study.systems import Outcome, concealed
from semcom_ros.payload import Header, Part, Payload
from semcom_ros.reconstruction import Reconstruction


class Original:
    """The ceiling of every table: the RSU sees the camera's own image."""

    codec = "original"
    setting = None
    uses_labels = False
    links = frozenset({NONE})
    models: tuple[Path, ...] = ()

    def begin(self, link: Link, seed: int) -> None:
        """Nothing to prepare."""

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        return Outcome(Reconstruction(image=frame.image))

    def end(self) -> None:
        """Nothing was kept."""


class FullImage:
    """GESCO's full-image link: pixels sent as analog values, without any code.

    Over noise, y = x + n with x in 0..1 and sigma^2 = P 10^(-PSNR/10), P as `channel.map_noise`
    defines it: the mean over the pixels of the squares summed over R, G and B. Over a channel, two
    values around their mean make one complex symbol, at unit mean power; where they are lost, the
    last good image stands.
    """

    codec = "full_image"
    setting = None
    uses_labels = False
    links = frozenset({NONE, "noise", "channel"})
    models: tuple[Path, ...] = ()

    def begin(self, link: Link, seed: int) -> None:
        self._link, self._seed = link, seed
        self._channel = link.channel(seed) if link.kind == "channel" else None
        self._last: Reconstruction | None = None

    def run(self, frame: Frame, labels: np.ndarray | None, index: int) -> Outcome:
        planes = frame.image.transpose(2, 0, 1).astype(np.float32) / 255
        if self._channel:
            received = _over_channel(planes, self._channel, index)
        else:
            received = self._link.add_noise(planes, np.random.default_rng([self._seed, index]))
        uses = -(-planes.size // 2)
        if received is None:
            shown = concealed(frame, self._last, gives_labels=False)
            return Outcome(shown, channel_uses=uses, lost=True)
        image = np.clip(np.rint(255 * received), 0, 255).astype(np.uint8).transpose(1, 2, 0)
        self._last = Reconstruction(image=np.ascontiguousarray(image))
        return Outcome(self._last, channel_uses=uses)

    def end(self) -> None:
        """Nothing was kept."""


def _over_channel(planes: np.ndarray, channel: Channel, index: int) -> np.ndarray | None:
    """`planes` as the receiver of one payload of symbols reads them, or None if it was lost.

    The header tells the scale.
    """
    values = planes.ravel()
    if values.size % 2:
        raise SemcomError("Pixels are sent in pairs: the frame needs an even number of values.")
    mean = values.mean()
    power = float(np.mean(np.square(values - mean), dtype=np.float64)) * 2
    scale = np.float32(power**0.5 or 1.0)
    symbols = np.ascontiguousarray((values - mean) / scale).view(np.complex64)
    _, height, width = planes.shape
    header = Header("full_image", 1, b"", height, width, "", index, 0)
    part = channel.transmit(Payload(header, (Part("pixels", 0, symbols=symbols),))).parts[0]
    if part.symbols is None:
        return None
    return part.symbols.view(np.float32).reshape(planes.shape) * scale + mean
