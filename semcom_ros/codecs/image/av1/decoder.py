# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of AV1 intra."""

from __future__ import annotations

from semcom_ros.codecs.image.av1 import Av1
from semcom_ros.codecs.image.decoder import ImageDecoder


class Decoder(ImageDecoder):
    """AV1 intra."""

    coder = Av1()
