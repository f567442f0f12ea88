# SPDX-License-Identifier: Apache-2.0
"""Any folder of image files, played in the order of their names; labels and camera are unknown."""

from __future__ import annotations

from semcom_ros.datasets.files import Files
from semcom_ros.datasets.source import existing, images_in


class Folder(Files):
    """The images of one folder. Frames play at 10 Hz."""

    def __init__(self, where: str) -> None:
        super().__init__(f"folder:{where}", images_in(existing(where)))
