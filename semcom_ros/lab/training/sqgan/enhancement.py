# SPDX-License-Identifier: Apache-2.0
"""Class enhancement: rare objects of other frames of the batch are pasted where they stood.

After the label enhancer of SQ-GAN, which pastes traffic signs and lights; pedestrians and cyclists
are rare in small data sets too. An object keeps its place in the picture, so that it stands where
such objects stand, and overlaps none of the objects that are there.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from semcom_ros.labels import TRAIN_ID

GROUPS = (
    ("traffic light",),
    ("traffic sign",),
    ("person",),
    ("rider", "bicycle", "motorcycle"),
)
"""Classes whose connected pixels are one object: a cyclist is pasted with the bicycle."""
ENHANCED = 0.9
"""Share of the frames that get objects."""
MIN_AREA = 24
"""Pixels of the smallest object worth pasting."""
_IDS = [[TRAIN_ID[name] for name in group] for group in GROUPS]
_KNOWN = np.isin(np.arange(256), np.concatenate(_IDS))


class Cutout(NamedTuple):
    """Pixels [n] (flat) of one object, and the frame that it stands in."""

    frame: int
    pixels: np.ndarray


def find_objects(labels: np.ndarray) -> list[Cutout]:
    """All objects in labels uint8 [B, H, W], largest first."""
    found = []
    for frame, labels_ in enumerate(labels):
        for ids in _IDS:
            mask = np.isin(labels_, ids)
            if not mask.any():
                continue
            count, regions, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
            for i in range(1, count):
                if stats[i, cv2.CC_STAT_AREA] >= MIN_AREA:
                    found.append(Cutout(frame, np.flatnonzero(regions == i)))
    return sorted(found, key=lambda o: -len(o.pixels))


def enhance(
    images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [B, H, W, 3] and labels uint8 [B, H, W] with objects of one another.

    Each frame gets one to n / 2 + 1 of the n objects of the others, largest first.
    """
    objects = find_objects(labels)
    pasted_images, pasted_labels = images.copy(), labels.copy()
    for frame in range(len(images)):
        offered = [o for o in objects if o.frame != frame]
        if not offered or rng.random() >= ENHANCED:
            continue
        wanted = rng.integers(1, len(offered) // 2 + 2)
        chosen = rng.choice(len(offered), wanted, replace=False)
        # Views: what is written to the flat arrays stands in the frames.
        image, map_ = pasted_images[frame].reshape(-1, 3), pasted_labels[frame].reshape(-1)
        for one in (offered[i] for i in np.sort(chosen)):
            if not _KNOWN[map_[one.pixels]].any():
                image[one.pixels] = images[one.frame].reshape(-1, 3)[one.pixels]
                map_[one.pixels] = labels[one.frame].reshape(-1)[one.pixels]
    return pasted_images, pasted_labels
