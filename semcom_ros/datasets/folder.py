# SPDX-License-Identifier: Apache-2.0
"""Any folder of image files, played in the order of their names; labels and camera are unknown."""

from __future__ import annotations

from semcom_ros.datasets.source import existing, images_in, position, read_rgb
from semcom_ros.frame import Frame


class Folder:
    """The images of one folder. Frames play at 10 Hz."""

    rate_hz = 10.0
    camera = None

    def __init__(self, where: str) -> None:
        self.name = f"folder:{where}"
        self._files = images_in(existing(where))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index` at its own size; its stamp counts from the first frame at `rate_hz`."""
        index = position(index, len(self))
        return Frame(read_rgb(self._files[index]), stamp=round(index * 1e9 / self.rate_hz))
