# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN: the map crosses, then the image's latent vectors, the most relevant first."""

from __future__ import annotations

from semcom_ros.codecs.base import Codec

CODEC = Codec(
    "semcom_ros.codecs.sqgan.encoder:Encoder",
    "semcom_ros.codecs.sqgan.decoder:Decoder",
    version=1,
    sends_labels=True,
)
