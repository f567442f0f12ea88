# SPDX-License-Identifier: Apache-2.0
"""What a decoder gives back for one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reconstruction:
    """What the RSU knows of a frame so far; a part that is not known (yet) is None.

    image: uint8 [H, W, 3] RGB. labels: uint8 [H, W] trainId, 255 void. confidence: uint8 [H, W],
    0 invented, 255 received and certain. support: bool [H, W], True where the pixel rests on
    received evidence.
    """

    image: np.ndarray | None = None
    labels: np.ndarray | None = None
    confidence: np.ndarray | None = None
    support: np.ndarray | None = None
