# SPDX-License-Identifier: Apache-2.0
"""The procedural drive as a source: frames with exact labels and no data to fetch."""

from __future__ import annotations

from semcom_ros.datasets.scenes.drive import CAMERA, RATE_HZ, Drive
from semcom_ros.datasets.source import position
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame


class Scenes:
    """The drive of one seed; its length stands for "without end".

    truth: frames bring depth, instances and objects as well, for a fifth of the time on top.
    """

    rate_hz = float(RATE_HZ)
    camera = CAMERA

    def __init__(self, seed: str, truth: bool = False) -> None:
        if not seed.isdecimal():
            raise SemcomError(f"The seed '{seed}' is no whole number from 0: give 'scenes:7'.")
        self.name = f"scenes:{seed}"
        self._drive, self._truth = Drive(int(seed)), truth

    def __len__(self) -> int:
        return 10_000_000

    def __getitem__(self, index: int) -> Frame:
        """Frame `index`, 256x512; its stamp counts from the first frame at `rate_hz`."""
        return self._drive.render(position(index, len(self)), self._truth)
