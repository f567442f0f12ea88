# SPDX-License-Identifier: Apache-2.0
"""What the few bytes of a picture are for: things stay sharp, the street behind them is softened.

A coder at these rates spends bits on leaves and facades that do not come out anyhow.
"""

from __future__ import annotations

import cv2
import numpy as np

from semcom_ros.labels import CLASSES

SOFTNESS = 0.5
"""Standard deviation, in pixels of the picture, of the Gaussian that softens: Lite1's features have
restored images of KITTI's and Udacity's drives nearest to the originals there (docs/gesco.md)."""
AROUND, EDGE = 6, 3.0
"""Pixels of the frame around a thing that stay sharp, and over which that fades."""
_NEAR = np.ones((2 * AROUND + 1, 2 * AROUND + 1), np.uint8)
_THING = np.zeros(256, np.uint8)
_THING[: len(CLASSES)] = [one.thing for one in CLASSES]


def focused(image: np.ndarray, labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`image` uint8 [H, W, 3] shrunk to `size` (h, w), soft but where its `labels` uint8 [H, W]
    trainId have things."""
    near = cv2.dilate(_THING[labels], _NEAR).astype(np.float32)
    small, share = (cv2.resize(a, size[::-1], interpolation=cv2.INTER_AREA) for a in (image, near))
    sharp = cv2.GaussianBlur(share, (0, 0), EDGE * size[1] / image.shape[1])[..., None]
    soft = cv2.GaussianBlur(small, (0, 0), SOFTNESS).astype(np.float32)
    return np.rint(soft + sharp * (small - soft)).astype(np.uint8)
