# SPDX-License-Identifier: Apache-2.0
"""The scores of label maps and pictures: pooled intersection over union, and PSNR."""

from __future__ import annotations

import math

import cv2
import numpy as np

from semcom_ros.errors import SemcomError
from semcom_ros.labels import CLASSES, NAMES, VOID, fold


class ConfusionMatrix:
    """Pixels counted by true and estimated class, pooled over all maps added.

    Pixels that are void in the truth count nowhere. A pixel that only the estimate leaves void
    is an error of its true class. Source: the Cityscapes evaluation, instances left aside.

    folded: whether to count both maps in CamVid's classes (`labels.fold`), for estimates by what
    knows no others: a truck taken for a car is right then.
    """

    def __init__(self, folded: bool = False) -> None:
        self.folded = folded
        # The last column takes what the estimate leaves void.
        self.counts = np.zeros((len(CLASSES), len(CLASSES) + 1), np.int64)

    def add(self, truth: np.ndarray, estimate: np.ndarray) -> None:
        """Count one pair of label maps, uint8 [H, W] trainId with 255 void, of the same size."""
        if truth.shape != estimate.shape:
            raise SemcomError(
                f"Label maps of shapes {truth.shape} and {estimate.shape} cannot be compared: "
                "bring both to one size first."
            )
        if self.folded:
            truth, estimate = fold(truth), fold(estimate)
        classes, columns = self.counts.shape
        known = truth != VOID
        column = np.minimum(estimate[known], classes).astype(np.int64)
        cell = truth[known].astype(np.int64) * columns + column
        self.counts += np.bincount(cell, minlength=self.counts.size).reshape(self.counts.shape)

    def iou(self) -> dict[str, float]:
        """Intersection over union of every class that the truth holds, by class name."""
        hits = np.diagonal(self.counts)
        in_truth = self.counts.sum(1)
        union = in_truth + self.counts[:, :-1].sum(0) - hits
        return {NAMES[c]: float(hits[c] / union[c]) for c in np.flatnonzero(in_truth)}

    def miou(self) -> float | None:
        """Mean of `iou` over the classes that the truth holds, or None where it holds none."""
        scores = self.iou()
        return sum(scores.values()) / len(scores) if scores else None


def psnr(original: np.ndarray, image: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays of one shape; infinite when equal."""
    return cv2.PSNR(original, image) if (original != image).any() else math.inf
