# SPDX-License-Identifier: Apache-2.0
"""What a frame pixel is said to show, of the canvas pixels that its colour is the mean of."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import NAMES, TRAIN_ID

SCALE = 2
"""Canvas pixels a frame pixel, across and down; the image is their mean."""
_FAR_TO_NEAR = (
    "sky", "building", "wall", "terrain", "road", "sidewalk", "fence", "vegetation", "train", "bus",
    "truck", "car", "motorcycle", "bicycle", "rider", "person", "pole", "traffic light",
    "traffic sign",
)  # fmt: skip
_CLASS_AT = np.array([TRAIN_ID[name] for name in _FAR_TO_NEAR], np.uint8)
_PLACE_OF = np.zeros(len(NAMES), np.uint8)
_PLACE_OF[_CLASS_AT] = np.arange(len(_CLASS_AT))


def labels_shown(canvas_labels: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W], no void, of canvas labels [2H, 2W]: the class at which, counted from
    the front, half of the pixel is covered.

    Of two halves it is the nearer, so that what is thin stays: any one of the four canvas pixels
    alone would lie a quarter pixel beside the image, and twigs and poles would be there or not by
    chance. Front and back go by class, as streets mostly have them: without truth nobody notes
    which surface lies in front.
    """
    a, b, c, d = _parts(_PLACE_OF[canvas_labels])
    # The second nearest of four.
    second = np.maximum(np.minimum(np.maximum(a, b), np.maximum(c, d)), np.minimum(a, b))
    return _CLASS_AT[np.maximum(second, np.minimum(c, d), out=second)]


def surfaces_shown(
    canvas_surfaces: np.ndarray, canvas_labels: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Surface numbers uint16 [H, W]: of the canvas pixels with the label shown the one in front.

    canvas_surfaces: uint16 [2H, 2W], rising from far to near. canvas_labels: uint8 [2H, 2W].
    labels: uint8 [H, W], those that `labels_shown` gives of them.
    """
    parts = zip(_parts(canvas_surfaces), _parts(canvas_labels), strict=True)
    return np.max([np.where(part == labels, numbers, 0) for numbers, part in parts], 0)


def _parts(canvas: np.ndarray) -> list[np.ndarray]:
    """The first, second, ... canvas pixel of each frame pixel, [H, W] each."""
    return [canvas[y::SCALE, x::SCALE] for y in range(SCALE) for x in range(SCALE)]
