# SPDX-License-Identifier: Apache-2.0
"""What the perception network learns from: frames with all truth, augmented, and the boxes as its
grid should say them: heat about each centre, and the box."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import default_collate

from semcom_ros.frame import Frame
from semcom_ros.lab.ground_truth import Boxes, boxes_of
from semcom_ros.lab.training.data import expose
from semcom_ros.labels import CLASSES, NAMES, SUPERCLASS, TRAIN_ID, VOID
from semcom_ros.perception.networks import STRIDE

SEGMENTED = tuple(name for name in NAMES if name not in ("wall", "terrain", "train", "motorcycle"))
"""The classes that the procedural drive knows, in the order of the network's outputs."""
DETECTED = tuple(name for name in SEGMENTED if CLASSES[TRAIN_ID[name]].thing)
"""Those of the things among them."""
_MEMBERS = {name: [name] for name in SEGMENTED}
for _other, _superclass in SUPERCLASS.items():
    if _other in SEGMENTED:
        _MEMBERS[_superclass].append(_other)
COARSE = tuple(tuple(map(SEGMENTED.index, g)) for g in _MEMBERS.values() if len(g) > 1)
"""What CamVid's labels do not tell apart, such as cars, trucks and buses: places in `SEGMENTED`."""
_EXACT = np.full(256, VOID, np.uint8)
_EXACT[[TRAIN_ID[name] for name in SEGMENTED]] = np.arange(len(SEGMENTED))
_COARSE = _EXACT.copy()
for _row, _group in enumerate(COARSE, len(SEGMENTED)):
    _COARSE[TRAIN_ID[SEGMENTED[_group[0]]]] = _row
ZOOM = 1.35
"""Windows of a frame are enlarged up to so much."""
BLUR = (0.4, 1.8)
"""Standard deviation of the blur in pixels."""
SPREAD = 0.54
"""The part of a box, about its centre, that learns the box (TTFNet's alpha)."""


@dataclass(frozen=True)
class Sample:
    """One frame to learn from.

    image: uint8 [H, W, 3] RGB. labels: uint8 [H, W], places in `SEGMENTED`, from its end on those
    in `COARSE`, `VOID` unknown. depth: float16 [H, W] metres, NaN unknown, or None. boxes: its
    objects.
    """

    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray | None
    boxes: Boxes


def sample_of(frame: Frame) -> Sample:
    """The sample of a fitted frame with labels."""
    exact = frame.objects is not None
    depth = None if frame.depth is None else frame.depth.astype(np.float16)
    labels = (_EXACT if exact else _COARSE)[frame.labels]
    return Sample(frame.image, labels, depth, boxes_of(frame, DETECTED))


class BoxTargets(NamedTuple):
    """Targets on the grid of cells; arrays of a frame, or tensors of a batch [B, ...].

    heat: float32 [classes, rows, cols], 1 at the centre of an object, less around. counted:
    float32 [classes, rows, cols], 0 where the heat has no loss. box: float32 [4, rows, cols], the
    box left, top, right, bottom in cells that a cell shall say. weight: float32 [rows, cols] of
    its loss; it sums up to 1 an object.
    """

    heat: Any
    counted: Any
    box: Any
    weight: Any


class PerceptionBatch(NamedTuple):
    """Samples side by side: images uint8 [B, H, W, 3], labels uint8 [B, H, W] as in `Sample`,
    depth float32 [B, H, W] metres (NaN: no loss), and the targets of the boxes, each [B, ...].
    """

    images: torch.Tensor
    labels: torch.Tensor
    depth: torch.Tensor
    boxes: BoxTargets


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """A random window of `sample` at its own size, flipped half the time; light and focus vary.

    Enlarging by s is what a camera of s times the focal length sees. The network answers for one
    focal length, so the depth is divided by s.
    """
    height, width = sample.labels.shape
    scale = rng.uniform(1.0, ZOOM) if rng.random() < 0.4 else 1.0
    dx, dy = rng.uniform(0, 1, 2) * (scale - 1) * (width, height)
    flip = rng.random() < 0.5
    # A pixel's centre lies at its integer coordinate, so the frame begins at -0.5.
    half = (scale - 1) / 2
    across = [-scale, 0, width * scale - dx - half - 1] if flip else [scale, 0, half - dx]
    matrix = np.array([across, [0, scale, half - dy]])

    def warp(pixels: np.ndarray, how: int) -> np.ndarray:
        return cv2.warpAffine(
            pixels, matrix, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE
        )

    image = expose(warp(sample.image, cv2.INTER_LINEAR), rng)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*BLUR))
    depth = sample.depth
    if depth is not None:
        depth = warp(depth.astype(np.float32), cv2.INTER_NEAREST) / scale
    return replace(
        sample,
        image=image,
        labels=warp(sample.labels, cv2.INTER_NEAREST),
        depth=depth,
        boxes=sample.boxes.moved(scale, dx, dy, flip, (height, width)),
    )


def draw(boxes: Boxes, classes: int, size: tuple[int, int]) -> BoxTargets:
    """The targets of a frame of `size` (H, W) pixels with `boxes` of `classes` classes.

    Source: TTFNet (Liu et al., AAAI 2020), equation 2: an elliptical Gaussian a box. Where two
    meet, the smaller box counts.
    """
    rows, cols = size[0] // STRIDE, size[1] // STRIDE
    heat = np.zeros((classes, rows, cols), np.float32)
    counted = np.ones_like(heat)
    box = np.zeros((4, rows, cols), np.float32)
    weight = np.zeros((rows, cols), np.float32)
    scaled = boxes.edges / STRIDE
    span = scaled[:, 2:] - scaled[:, :2]
    for i in np.argsort(-span.prod(1), kind="stable"):
        kind, (left, top, right, bottom) = boxes.classes[i], scaled[i]
        if boxes.ignored[i]:
            inside = np.s_[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
            counted[kind][inside] *= heat[kind][inside] == 1
            continue
        x, y = (left + right) / 2, (top + bottom) / 2
        col, row = min(int(x), cols - 1), min(int(y), rows - 1)
        reach = (span[i] / 2 * SPREAD).astype(int)
        x0, y0 = max(col - reach[0], 0), max(row - reach[1], 0)
        near = np.s_[y0 : row + reach[1] + 1, x0 : col + reach[0] + 1]
        dy, dx = np.mgrid[near]
        sigma = (2 * reach + 1) / 6
        bell = np.exp(
            -((dx - col) ** 2) / (2 * sigma[0] ** 2) - (dy - row) ** 2 / (2 * sigma[1] ** 2)
        ).astype(np.float32)[: rows - y0, : cols - x0]
        heat[kind][near] = np.maximum(heat[kind][near], bell)
        counted[kind, row, col] = 1
        box[:, *near] = scaled[i][:, None, None]
        weight[near] = bell / bell.sum()
    return BoxTargets(heat, counted, box, weight)


def _targets(sample: Sample) -> BoxTargets:
    """The targets of the boxes; what a coarse label may be is not forbidden to its superclass."""
    targets = draw(sample.boxes, len(DETECTED), sample.labels.shape)
    for row, group in enumerate(COARSE, len(SEGMENTED)):
        cells = sample.labels[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
        for other in group[1:]:
            targets.counted[DETECTED.index(SEGMENTED[other])] *= cells != row
    return targets


def collate(samples: list[Sample], rng: np.random.Generator) -> PerceptionBatch:
    """The batch of `samples`."""
    unknown = np.full(samples[0].labels.shape, np.nan, np.float32)
    return PerceptionBatch(
        *default_collate(
            [
                (s.image, s.labels, unknown if s.depth is None else s.depth, _targets(s))
                for s in samples
            ]
        )
    )
