# SPDX-License-Identifier: Apache-2.0
"""gsc: one link for picture and map, source and channel coded together, asked in plain words.

Source: the multi-task generative semantic communication system for joint image transmission and
segmentation; docs/gsc.md says what is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from semcom_ros.codecs.base import Codec, Settings, setting
from semcom_ros.errors import SemcomError

AUTO = "auto"
FAST, PAPER = "fast", "paper"


@dataclass(frozen=True)
class GscSettings(Settings):
    """What can be set of gsc at either end."""

    network: str = setting(
        FAST,
        "Networks of gsc, the same at both ends: those that ship, or those of its papers, which "
        "`semcom train gsc-paper` makes.",
        end="both",
        choices=(FAST, PAPER),
        when="at configure",
    )
    task: str = setting(
        "",
        "What gsc sends, in plain words, while the RSU asks for nothing: the picture, or where "
        "things are; empty: both.",
        end="encoder",
    )
    symbols: int = setting(
        0,
        "Complex symbols that gsc sends a frame, 512 a plane, 2048 with the papers' networks; 0: "
        "as many as what header and parts leave of payload_bytes would take as QPSK 1/2, and half "
        "of them for a map alone.",
        0,
        24_576,
        end="encoder",
    )
    snr_db: str = setting(
        AUTO,
        "The link's SNR in dB that gsc's encoder prepares for, as a number; auto: as the RSU "
        "reports it, 10 until it does.",
        end="encoder",
    )
    steps: int = setting(
        1,
        "Passes of gsc's picture decoder; more than the weights were found to profit from are not "
        "made.",
        end="decoder",
        choices=(1, 2, 4),
    )
    decoder: str = setting(
        "mse",
        "What gsc's picture is nearest to: the true pixels, or how the true ones look.",
        end="decoder",
        choices=("mse", "perceptual"),
    )

    def __post_init__(self) -> None:
        self.told_snr_db(None)

    def told_snr_db(self, reported: float | None) -> float | None:
        """The SNR to prepare for where the link reports `reported`. Raises SemcomError."""
        if self.snr_db == AUTO:
            return reported
        try:
            snr_db = float(self.snr_db)
        except ValueError:
            snr_db = float("nan")
        if not -100 <= snr_db <= 100:
            raise SemcomError(f"gsc_snr_db is '{self.snr_db}': give auto, or decibels.")
        return snr_db


CODEC = Codec(
    "semcom_ros.codecs.gsc.encoder:Encoder",
    "semcom_ros.codecs.gsc.decoder:Decoder",
    version=1,
    sends_labels=False,
    settings=GscSettings,
    hears_snr=True,
)
