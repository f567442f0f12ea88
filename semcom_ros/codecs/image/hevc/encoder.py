# SPDX-License-Identifier: Apache-2.0
"""The vehicle's end of HEVC intra."""

from __future__ import annotations

from semcom_ros.codecs.image.encoder import LadderEncoder
from semcom_ros.codecs.image.hevc import Hevc


class Encoder(LadderEncoder):
    """HEVC intra."""

    coder = Hevc()
