# SPDX-License-Identifier: Apache-2.0
"""SQ-GAN: the map crosses, then the image's latent vectors, the most relevant first."""

from __future__ import annotations

from dataclasses import dataclass

from semcom_ros.codecs.base import Codec, Settings, setting

FAST, PAPER = "fast", "paper"


@dataclass(frozen=True)
class SqganSettings(Settings):
    """What can be set of SQ-GAN, at both ends alike."""

    network: str = setting(
        FAST,
        "Networks of sqgan, the same at both ends: those that ship, or those of its paper, which "
        "`semcom train sqgan-paper` makes.",
        end="both",
        choices=(FAST, PAPER),
        when="at configure",
    )


CODEC = Codec(
    "semcom_ros.codecs.sqgan.encoder:Encoder",
    "semcom_ros.codecs.sqgan.decoder:Decoder",
    version=1,
    sends_labels=True,
    settings=SqganSettings,
)
