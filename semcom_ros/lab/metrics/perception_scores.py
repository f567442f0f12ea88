# SPDX-License-Identifier: Apache-2.0
"""The scores of boxes and of depth: average precision and recall, errors and plausibility."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from semcom_ros.lab.ground_truth import Boxes
from semcom_ros.labels import TRAIN_ID
from semcom_ros.perception.detection import THRESHOLD, Detection

LOWEST = 0.05
"""Score from which detections are taken for average precision, which weighs all thresholds."""
FARTHEST = 80.0
"""Metres up to which depth is scored."""
LEAST_ROAD = 16
"""Rows of road that a column must have to show how depth grows along it."""
SLACK = 0.01
"""Part of the largest depth below by which depth up the road may fall and still recede."""


class ClassScores(NamedTuple):
    """Objects counted, average precision at an overlap of 0.5 and over 0.5 to 0.95, and recall.

    Where other overlaps were asked for, ap50 and recall are those of the first, and ap the mean.
    recall: share of the objects that a detection of at least `THRESHOLD` overlaps by 0.5.
    """

    objects: int
    ap50: float
    ap: float
    recall: float


class DetectionScores:
    """COCO's scores (Lin et al., ECCV 2014) of detections against true boxes, frame by frame.

    A detection of an ignored object counts neither way. Computed by torchmetrics and pycocotools.
    overlaps: at which an object is found, by default 0.5 to 0.95.
    """

    def __init__(self, names: Sequence[str], overlaps: Sequence[float] | None = None) -> None:
        from semcom_ros.runtime import declare_operators

        declare_operators()
        from torchmetrics.detection import MeanAveragePrecision

        self.names = list(names)
        self.counts = np.zeros(len(self.names), np.int64)
        self._every, self._sure = (
            MeanAveragePrecision(
                iou_thresholds=overlaps and list(overlaps), backend="pycocotools",
                extended_summary=True)
            for _ in range(2)
        )  # fmt: skip

    def add(self, truth: Boxes, detections: Sequence[Detection]) -> None:
        """Count one frame. truth: its boxes, with classes as places in `names`."""
        import torch

        self.counts += np.bincount(truth.classes[~truth.ignored], minlength=len(self.names))
        target = {
            "boxes": torch.from_numpy(truth.edges),
            "labels": torch.from_numpy(truth.classes),
            "iscrowd": torch.from_numpy(truth.ignored).long(),
        }
        for metric, least in ((self._every, LOWEST), (self._sure, THRESHOLD)):
            found = [d for d in detections if d.score >= least and d.name in self.names]
            boxes = [[d.left, d.top, d.left + d.width, d.top + d.height] for d in found]
            said = {
                "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
                "scores": torch.tensor([d.score for d in found]),
                "labels": torch.tensor([self.names.index(d.name) for d in found], dtype=torch.long),
            }
            metric.update([said], [target])

    def compute(self) -> dict[str, ClassScores]:
        """Scores of every class that has objects, and their mean as "mean"."""
        every, sure = self._every.compute(), self._sure.compute()
        # COCO's axes: overlap, recall, class, area (the first is any), detections (the last 100).
        precision, recall = every["precision"][:, :, :, 0, -1], sure["recall"][:, :, 0, -1]
        places = [np.atleast_1d(metric["classes"].numpy()).tolist() for metric in (every, sure)]
        scores = {}
        for k in np.flatnonzero(self.counts).tolist():
            ap = precision[:, :, places[0].index(k)].mean(1)
            found = float(recall[0, places[1].index(k)])
            scores[self.names[k]] = ClassScores(
                int(self.counts[k]), float(ap[0]), float(ap.mean()), found
            )
        if scores:
            _, *means = (float(np.mean(column)) for column in zip(*scores.values(), strict=True))
            scores["mean"] = ClassScores(int(self.counts.sum()), *means)
        return scores


class DepthScores:
    """Errors of depth up to `FARTHEST` metres, pooled over the frames added (Eigen et al. 2014).

    Pixels whose estimate is unknown (NaN) where the truth is known count as missed.
    """

    def __init__(self) -> None:
        self.pixels = self.known = 0
        self._relative = self._square = self._close = 0.0

    def add(self, truth: np.ndarray, estimate: np.ndarray) -> None:
        """Count one frame: depths float32 [H, W] in metres, NaN unknown."""
        wanted = np.isfinite(truth) & (truth > 0) & (truth <= FARTHEST)
        both = wanted & np.isfinite(estimate)
        d, e = truth[both].astype(np.float64), estimate[both].astype(np.float64)
        self.pixels += int(wanted.sum())
        self.known += d.size
        self._relative += float((np.abs(e - d) / d).sum())
        self._square += float(np.square(e - d).sum())
        self._close += float((np.maximum(e / d, d / e) < 1.25).sum())

    def compute(self) -> dict[str, float]:
        """absrel: mean error over truth. rmse: metres. delta: share within a factor of 1.25.

        missed: share of the pixels that have no estimate.
        """
        n = max(self.known, 1)
        return {
            "absrel": self._relative / n,
            "rmse": math.sqrt(self._square / n),
            "delta": self._close / n,
            "missed": 1 - self.known / max(self.pixels, 1),
        }


class DepthPlausibility:
    """What labels alone say of depth: the road recedes up the image, and the sky is far."""

    def __init__(self) -> None:
        self._columns = self._receding = self._sky = self._far = 0

    def add(self, labels: np.ndarray, depth: np.ndarray) -> None:
        """Count one frame: uint8 [H, W] trainId, float32 [H, W] m, NaN unknown."""
        road, sky = (labels == TRAIN_ID[name] for name in ("road", "sky"))
        long = road.sum(0) >= LEAST_ROAD
        # From the bottom up; an unknown depth on the road falls below whatever came before.
        upward = np.where(road, np.nan_to_num(depth, nan=-np.inf), np.inf)[::-1]
        nearer = np.where(road[::-1], upward, -np.inf)
        falls = upward < (1 - SLACK) * np.maximum.accumulate(nearer, 0).clip(0)
        self._columns += int(long.sum())
        self._receding += int((long & ~falls.any(0)).sum())
        self._sky += int(sky.sum())
        self._far += int((sky & ~(depth < FARTHEST)).sum())

    def compute(self) -> tuple[float | None, float | None]:
        """Share of the columns of road along which depth nowhere falls, of those long enough.

        And the share of the sky's pixels without depth or at `FARTHEST` metres and beyond. None
        where there is no road, or no sky.
        """
        return (
            self._receding / self._columns if self._columns else None,
            self._far / self._sky if self._sky else None,
        )
