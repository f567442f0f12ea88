# SPDX-License-Identifier: Apache-2.0
"""From what was measured of each frame to one score, with its 95 % confidence interval.

Intervals are those of the percentile bootstrap (Efron, Tibshirani, 1993): frames are drawn with
replacement, `DRAWS` times. A frame of which there is nothing to measure is None and does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from semcom_ros.lab.metrics.pedestrians import Pedestrian
from semcom_ros.labels import CLASSES
from semcom_ros.runtime import declare_operators

DRAWS = 1000
LEAST = 2
"""Frames from which there is an interval."""


class Score(NamedTuple):
    """value: a number, a text that says why there is none, or None where nothing applies.

    n: frames (or pairs of frames) measured. ci95: low and high end, or None.
    """

    value: float | str | None
    n: int
    ci95: tuple[float, float] | None = None


Pool = Callable[[Sequence[Any], int], Score]
"""Measurements of the frames in their order, and the seed of the draws."""


def mean(values: Sequence[float | None], seed: int) -> Score:
    """The mean over the frames; infinite where one of them is."""

    def means(numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return weights @ numbers / weights.sum(1)

    def draw(numbers: list[float]) -> Score:
        if any(math.isinf(v) for v in numbers):
            return Score("infinite", len(numbers))
        return _bootstrap(np.array(numbers, np.float64), means, seed)

    return _of_those_there(values, draw)


def iou(classes: Sequence[int]) -> Pool:
    """Mean over `classes`, those that the truth of any frame holds, of the IoU of pooled counts.

    Measurements are `ConfusionMatrix.counts`, int64 [19, 20]: frames are drawn, not pixels.
    """
    chosen = np.array(classes)

    def mious(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        flat = counts.reshape(len(counts), -1).astype(np.float64)
        pooled = (weights @ flat).reshape(-1, *counts.shape[1:])
        hits = np.diagonal(pooled, axis1=1, axis2=2)[:, chosen]
        truth = pooled.sum(2)[:, chosen]
        union = truth + pooled[:, :, : len(CLASSES)].sum(1)[:, chosen] - hits
        ratio = np.divide(hits, union, out=np.zeros_like(hits), where=union > 0)
        # Of a draw without any pixel of a class nothing can be said about that class.
        there = (union > 0) & (counts.sum((0, 2))[chosen] > 0)
        found = there.sum(1)
        total = (ratio * there).sum(1)
        return np.divide(total, found, out=np.full(len(found), np.nan), where=found > 0)

    def pool(values: Sequence[np.ndarray | None], seed: int) -> Score:
        return _of_those_there(values, lambda counts: _bootstrap(np.stack(counts), mious, seed))

    return pool


def missed(near: float, far: float) -> Pool:
    """Share of the pedestrians from `near` to less than `far` metres away that were missed.

    Measurements are lists of `Pedestrian`: frames are drawn, with all who are in them.
    """

    def shares(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
        gone, all_there = (weights @ counts).T
        return np.divide(gone, all_there, out=np.full(len(gone), np.nan), where=all_there > 0)

    def pool(values: Sequence[list[Pedestrian] | None], seed: int) -> Score:
        known = [v for v in values if v is not None]
        if not known:
            return Score("not measured: no distances known", 0)
        chosen = [[p for p in frame if near <= p.distance < far] for frame in known]
        counts = np.array([(sum(not p.found for p in c), len(c)) for c in chosen], np.float64)
        return _bootstrap(counts, shares, seed)

    return pool


def whole(score: Callable[[list[Any]], float | None]) -> Pool:
    """A score of all frames at once, without an interval."""

    def pool(values: Sequence[Any], seed: int) -> Score:
        return _of_those_there(values, lambda items: Score(score(items), len(items)))

    return pool


def percentile_95(values: list[float]) -> float:
    """What 95 of 100 values do not pass: a whole one among them, not one between two."""
    return float(np.percentile(values, 95, method="inverted_cdf"))


def frechet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Fréchet distance of two sets of features, given as (original's, image's), float64 [C] each.

    None where there are fewer than two frames.
    """
    if len(pairs) < 2:
        return None
    import torch

    declare_operators()
    from torchmetrics.image.fid import FrechetInceptionDistance

    features = torch.nn.Identity()
    features.num_features = len(pairs[0][0])
    metric = FrechetInceptionDistance(feature=features).set_dtype(torch.float64)
    for real, found in zip((True, False), zip(*pairs, strict=True), strict=True):
        metric.update(torch.from_numpy(np.stack(found)), real=real)
    return max(0.0, float(metric.compute()))


def relative_frechet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """`frechet` over the variance of the originals' features, summed over the features."""
    distance = frechet(pairs)
    if distance is None:
        return None
    spread = float(np.var([real for real, _ in pairs], axis=0, ddof=1).sum())
    return distance / spread if spread else None


def _of_those_there(values: Sequence[Any], pool: Callable[[list[Any]], Score]) -> Score:
    there = [v for v in values if v is not None]
    return pool(there) if there else Score(None, 0)


def _bootstrap(
    items: np.ndarray, score: Callable[[np.ndarray, np.ndarray], np.ndarray], seed: int
) -> Score:
    """`score` takes items [n, ...] and how often each counts, float64 [draws, n]."""
    n = len(items)
    value = float(score(items, np.ones((1, n)))[0])
    if math.isnan(value):
        return Score(None, n)
    if n < LEAST:
        return Score(value, n)
    random = np.random.default_rng(seed)
    weights = random.multinomial(n, np.full(n, 1 / n), DRAWS).astype(np.float64)
    low, high = np.nanpercentile(score(items, weights), (2.5, 97.5))
    return Score(value, n, (float(low), float(high)))
