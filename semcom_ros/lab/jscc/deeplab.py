# SPDX-License-Identifier: Apache-2.0
"""Maps instead of images: Deeplab with a channel in its middle."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from semcom_ros.lab.jscc.analog_link import AnalogLink
from semcom_ros.lab.reader_networks import CELL, AtrousPyramid, residual_trunk


class DeeplabJscc(AnalogLink):
    """A dilated ResNet-18, planes at the channel, an atrous pyramid: a map without a picture.

    step: cells a side of the trunk's that one of the planes' takes.
    """

    reads = True

    def __init__(
        self, planes: int, channels: Sequence[int], pyramid: int, step: int, classes: int
    ) -> None:
        super().__init__(planes, CELL * step)
        self.trunk = residual_trunk(channels)
        self.squeeze = nn.Conv2d(channels[-1], planes, step, step)
        self.pyramid = AtrousPyramid(planes, pyramid)
        self.classify = nn.Conv2d(pyramid, classes, 1)

    def values(self, images: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        return self.squeeze(self.trunk(images - 0.5))

    def decode(self, planes: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        logits = self.classify(self.pyramid(planes))
        return F.interpolate(logits, scale_factor=self.stride, mode="bilinear")
