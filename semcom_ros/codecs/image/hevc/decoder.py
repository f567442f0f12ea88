# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of HEVC intra."""

from __future__ import annotations

from semcom_ros.codecs.image.decoder import ImageDecoder
from semcom_ros.codecs.image.hevc import Hevc


class Decoder(ImageDecoder):
    """HEVC intra."""

    coder = Hevc()
