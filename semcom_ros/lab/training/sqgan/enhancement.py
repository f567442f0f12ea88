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

ENHANCED = 0.9
"""Share of the frames that get objects."""


class Pasting(NamedTuple):
    """groups: classes whose connected pixels are one object. least: pixels of the smallest object
    worth pasting. largest: the largest that find room, not any. turn: degrees by which an object
    is turned about its middle at most."""

    groups: tuple[tuple[str, ...], ...]
    least: int
    largest: bool = False
    turn: float = 0.0


OURS = Pasting(
    (("traffic light",), ("traffic sign",), ("person",), ("rider", "bicycle", "motorcycle")), 24
)
"""A cyclist is pasted with the bicycle."""


class Cutout(NamedTuple):
    """Pixels [n] (flat) of one object, and the frame that it stands in."""

    frame: int
    pixels: np.ndarray


def find_objects(labels: np.ndarray, pasting: Pasting = OURS) -> list[Cutout]:
    """All objects in labels uint8 [B, H, W], largest first."""
    found = []
    for frame, labels_ in enumerate(labels):
        for group in pasting.groups:
            mask = np.isin(labels_, [TRAIN_ID[name] for name in group])
            if not mask.any():
                continue
            count, regions, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
            for i in range(1, count):
                if stats[i, cv2.CC_STAT_AREA] >= pasting.least:
                    found.append(Cutout(frame, np.flatnonzero(regions == i)))
    return sorted(found, key=lambda o: -len(o.pixels))


def enhance(
    images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, pasting: Pasting = OURS
) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [B, H, W, 3] and labels uint8 [B, H, W] with objects of one another.

    Each frame gets at most one to n / 2 + 1 of the n objects of the others, largest first.
    """
    objects = find_objects(labels, pasting)
    known = np.isin(np.arange(256), [TRAIN_ID[n] for group in pasting.groups for n in group])
    pasted_images, pasted_labels = images.copy(), labels.copy()
    for frame in range(len(images)):
        offered = [o for o in objects if o.frame != frame]
        if not offered or rng.random() >= ENHANCED:
            continue
        wanted = rng.integers(1, len(offered) // 2 + 2)
        if not pasting.largest:
            chosen = rng.choice(len(offered), wanted, replace=False)
            offered = [offered[i] for i in np.sort(chosen)]
        # Views: what is written to the flat arrays stands in the frames.
        image, map_ = pasted_images[frame].reshape(-1, 3), pasted_labels[frame].reshape(-1)
        for one in offered:
            if not wanted:
                break
            angle = rng.uniform(-pasting.turn, pasting.turn) if pasting.turn else 0.0
            pixels, colours, classes = turned(images[one.frame], labels[one.frame], one, angle)
            if not known[map_[pixels]].any():
                image[pixels], map_[pixels] = colours, classes
                wanted -= 1
    return pasted_images, pasted_labels


def turned(
    image: np.ndarray, labels: np.ndarray, one: Cutout, degrees: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels [n] (flat), colours [n, 3] and classes [n] of an object turned about its middle."""
    if not degrees:
        return one.pixels, image.reshape(-1, 3)[one.pixels], labels.reshape(-1)[one.pixels]
    rows, columns = np.divmod(one.pixels, labels.shape[1])
    margin = 2 + int(np.ptp(rows) + np.ptp(columns)) // 8
    top, left = max(rows.min() - margin, 0), max(columns.min() - margin, 0)
    window = np.s_[top : rows.max() + margin, left : columns.max() + margin]
    middle = (float(columns.mean() - left), float(rows.mean() - top))
    matrix, to = cv2.getRotationMatrix2D(middle, degrees, 1), labels[window].shape[::-1]
    mask = np.zeros(labels.shape, np.uint8)
    mask.reshape(-1)[one.pixels] = 1
    hard = {"flags": cv2.INTER_NEAREST}
    mask, classes = (cv2.warpAffine(m[window], matrix, to, **hard) for m in (mask, labels))
    rows, columns = np.nonzero(mask)
    colours = cv2.warpAffine(image[window], matrix, to)[rows, columns]
    return (rows + top) * labels.shape[1] + columns + left, colours, classes[rows, columns]
