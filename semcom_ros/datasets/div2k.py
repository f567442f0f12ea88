# SPDX-License-Identifier: Apache-2.0
"""DIV2K's high-resolution images; it has neither labels nor cameras.

Agustsson, Timofte, "NTIRE 2017 Challenge on Single Image Super-Resolution: Dataset and Study", CVPR
Workshops 2017. The layout read is `DIV2K_train_HR/NNNN.png` and `DIV2K_valid_HR/NNNN.png`; the
low-resolution folders and files such as `0801x4.png` are left out.
"""

from __future__ import annotations

from semcom_ros.datasets.files import Files, needed
from semcom_ros.datasets.source import existing, images_in
from semcom_ros.errors import SemcomError, choose

LAYOUT = "DIV2K_train_HR/NNNN.png and DIV2K_valid_HR/NNNN.png"
_FOLDERS = {"train": "DIV2K_train_HR", "val": "DIV2K_valid_HR"}


class Div2k(Files):
    """One split, train or val, in the order of the numbers. Frames play at 10 Hz."""

    def __init__(self, where: str, split: str) -> None:
        choose(split, _FOLDERS, "split of DIV2K")
        folder = needed(existing(where) / _FOLDERS[split], LAYOUT)
        files = [file for file in images_in(folder) if file.stem.isdecimal()]
        if not files:
            raise SemcomError(f"'{folder}' holds no images named NNNN.png, as DIV2K's are.")
        super().__init__(f"div2k:{where}", files)
