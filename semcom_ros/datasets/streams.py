# SPDX-License-Identifier: Apache-2.0
"""Sources that are no folders of files: a video, and the procedural drive."""

from __future__ import annotations

import cv2

from semcom_ros.datasets.files import existing, position
from semcom_ros.datasets.scenes.drive import CAMERA, RATE_HZ, Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame


class VideoFile:
    """One video file, quickest when its frames are asked for in order; labels are unknown."""

    camera: Camera | None = None

    def __init__(self, where: str) -> None:
        self._path = existing(where)
        self.name = f"video:{where}"
        self._capture = cv2.VideoCapture(str(self._path))
        self._count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._next = 0
        if not self._capture.isOpened() or self._count < 1:
            raise SemcomError(f"'{where}' cannot be played: give a video file that OpenCV reads.")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        # Some containers name no rate; they are played at the rate that the rest of us works at.
        self.rate_hz = rate if 0 < rate < 1000 else 10.0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        index = position(index, len(self))
        if index != self._next:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        ok, image = self._capture.read()
        self._next = index + 1 if ok else -1
        if not ok:
            raise SemcomError(f"Frame {index} of the video '{self._path}' cannot be decoded.")
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return Frame(image, stamp=round(index * 1e9 / self.rate_hz))


class Scenes:
    """The procedural drive of one seed, with exact labels; its length stands for "without end".

    truth: frames bring depth, instances and objects as well, for a fifth of the time on top.
    """

    rate_hz = float(RATE_HZ)
    camera: Camera | None = CAMERA

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
