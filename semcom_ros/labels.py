# SPDX-License-Identifier: Apache-2.0
"""The Cityscapes evaluation classes (trainId) that every label map in the package is written in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LABEL_SPACE = "cityscapes19"
VOID = 255
"""Label of a pixel that belongs to no class; left out of every score."""


class LabelClass(NamedTuple):
    """One Cityscapes evaluation class; its trainId is its place in `CLASSES`."""

    name: str
    color: tuple[int, int, int]
    thing: bool


CLASSES = (
    LabelClass("road", (128, 64, 128), False),
    LabelClass("sidewalk", (244, 35, 232), False),
    LabelClass("building", (70, 70, 70), False),
    LabelClass("wall", (102, 102, 156), False),
    LabelClass("fence", (190, 153, 153), False),
    LabelClass("pole", (153, 153, 153), False),
    LabelClass("traffic light", (250, 170, 30), True),
    LabelClass("traffic sign", (220, 220, 0), True),
    LabelClass("vegetation", (107, 142, 35), False),
    LabelClass("terrain", (152, 251, 152), False),
    LabelClass("sky", (70, 130, 180), False),
    LabelClass("person", (220, 20, 60), True),
    LabelClass("rider", (255, 0, 0), True),
    LabelClass("car", (0, 0, 142), True),
    LabelClass("truck", (0, 0, 70), True),
    LabelClass("bus", (0, 60, 100), True),
    LabelClass("train", (0, 80, 100), True),
    LabelClass("motorcycle", (0, 0, 230), True),
    LabelClass("bicycle", (119, 11, 32), True),
)
NAMES = tuple(c.name for c in CLASSES)
TRAIN_ID = {name: i for i, name in enumerate(NAMES)}
SUPERCLASS = {
    "wall": "building",
    "traffic light": "traffic sign",
    "terrain": "vegetation",
    "truck": "car",
    "bus": "car",
    "train": "car",
    "motorcycle": "rider",
    "bicycle": "rider",
}
"""For classes that CamVid's labels do not know: the class of theirs that looks most alike."""

_FOLDED = np.arange(256, dtype=np.uint8)
_FOLDED[[TRAIN_ID[name] for name in SUPERCLASS]] = [
    TRAIN_ID[superclass] for superclass in SUPERCLASS.values()
]

_PALETTE = np.zeros((256, 3), np.uint8)
_PALETTE[: len(CLASSES)] = [c.color for c in CLASSES]


def fold(labels: np.ndarray) -> np.ndarray:
    """`labels`, uint8 trainIds of any shape, in CamVid's classes: each as its `SUPERCLASS`."""
    return _FOLDED[labels]


def colorize(labels: np.ndarray) -> np.ndarray:
    """Paint a label map [H, W] uint8 in Cityscapes' colours: [H, W, 3] uint8 RGB, void black."""
    return _PALETTE[labels]


def tint(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`image` [H, W, 3] uint8 RGB under 45 % of the colours of its label map [H, W]."""
    mixed = 11 * image.astype(np.uint16) + 9 * colorize(labels).astype(np.uint16)
    return ((mixed + 10) // 20).astype(np.uint8)
