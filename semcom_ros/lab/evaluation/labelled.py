# SPDX-License-Identifier: Apache-2.0
"""Frames that can be scored: fitted to the size of work and with labels."""

from __future__ import annotations

from semcom_ros.datasets import open_source
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame, fit


def labelled_frames(data: str, split: str, most: int) -> list[Frame]:
    """At most `most` frames of `data`, fitted. Raises SemcomError if one of them has no labels."""
    source = open_source(data, split)
    frames = [fit(source[i]) for i in range(min(most, len(source)))]
    if any(frame.labels is None for frame in frames):
        raise SemcomError(
            f"{data} has frames without labels: score on scenes:SEED, camvid:DIR or another "
            "labelled set."
        )
    return frames
