# SPDX-License-Identifier: Apache-2.0
"""The frames of a video file; labels and camera are unknown."""

from __future__ import annotations

import cv2

from semcom_ros.datasets.source import existing, position
from semcom_ros.errors import SemcomError
from semcom_ros.frame import Frame


class Video:
    """One video file, quickest when its frames are asked for in order."""

    camera = None

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
