# SPDX-License-Identifier: Apache-2.0
"""The RSU's end of JPEG 2000."""

from __future__ import annotations

from semcom_ros.codecs.image.decoder import ImageDecoder
from semcom_ros.codecs.image.jpeg2000 import Jpeg2000


class Decoder(ImageDecoder):
    """JPEG 2000."""

    coder = Jpeg2000()
