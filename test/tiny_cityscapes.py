# SPDX-License-Identifier: Apache-2.0
"""A few frames of Cityscapes in the layout of its archives."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from tiny_images import SIZE, picture, write

FX, FY, U0, V0, BASELINE = 2262.52, 2265.3, 1096.98, 513.137, 0.209313


def calibration(path: Path, fx: float = FX) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    intrinsic = {"fx": fx, "fy": FY, "u0": U0, "v0": V0}
    path.write_text(json.dumps({"intrinsic": intrinsic, "extrinsic": {"baseline": BASELINE}}))
    return path


def cityscapes_frame(root: Path, name: str, split: str = "val", value: int = 90) -> None:
    """One frame with every file that the archives hold for it."""
    city = f"{split}/{name.split('_')[0]}"
    picture(root / "leftImg8bit" / city / f"{name}_leftImg8bit.png", value)
    ids = np.tile(np.arange(SIZE[1], dtype=np.uint8), (SIZE[0], 1))
    ids[1] += 2
    write(root / "gtFine" / city / f"{name}_gtFine_labelIds.png", ids)
    disparity = np.full(SIZE, 1 + 256 * 20, np.uint16)
    disparity[0, :3] = 0, 1, 2
    write(root / "disparity" / city / f"{name}_disparity.png", disparity)
    calibration(root / "camera" / city / f"{name}_camera.json")
