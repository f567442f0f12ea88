# SPDX-License-Identifier: Apache-2.0
"""Sources that are no folders of files: a video, and the procedural drive."""

from __future__ import annotations

import sys

import cv2

from semcom_ros.datasets.files import existing, position
from semcom_ros.datasets.scenes.drive import CAMERA, RATE_HZ, Drive
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Camera, Frame


class VideoFile:
    """One video file, quickest when its frames are asked for in order; labels are unknown.

    It ends where no more can be read, and is opened anew to go back: containers misstate their
    length, and not all can seek.
    """

    camera: Camera | None = None

    def __init__(self, where: str) -> None:
        self._path, self.name = existing(where), f"video:{where}"
        self._capture, self._at, self._count = self._open(), 0, 0
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        # Some containers name no rate; they are played at the rate that the rest of us works at.
        self.rate_hz = rate if 0 < rate < 1000 else 10.0

    def _open(self) -> cv2.VideoCapture:
        """The video at its first frame. Raises SemcomError."""
        capture = cv2.VideoCapture(str(self._path))
        if not capture.grab():
            raise SemcomError(f"'{self._path}' cannot be played: give a video that OpenCV reads.")
        return capture

    def __len__(self) -> int:
        """The number of frames, for which the whole video is decoded once."""
        if not self._count:
            self._count = 1 + sum(1 for _ in iter(self._open().grab, False))
        return self._count

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        if index < 0:
            index = position(index, len(self))
        if index < self._at:
            self._capture, self._at = self._open(), 0
        while self._at < index:
            if not self._capture.grab():
                self._at = sys.maxsize  # whichever frame is next, the file is opened anew for it
                raise IndexError(f"frame {index} of '{self._path}'")
            self._at += 1
        ok, image = self._capture.retrieve()
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
