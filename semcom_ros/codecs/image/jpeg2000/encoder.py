# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of JPEG 2000."""

from __future__ import annotations

from semcom_ros.codecs.image.encoder import LadderEncoder
from semcom_ros.codecs.image.jpeg2000 import Jpeg2000


class Encoder(LadderEncoder):
    """JPEG 2000."""

    coder = Jpeg2000()
