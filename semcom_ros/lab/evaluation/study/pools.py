# SPDX-License-Identifier: Apache-2.0
"""From what was measured of each frame to one score, with its 95 % confidence interval.

Intervals are those of the percentile bootstrap (Efron, Tibshirani, 1993): frames are drawn with
replacement, `DRAWS` times. A frame of which there is nothing to measure is None and does not count.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from semcom_ros.lab.metrics.pedestrians import Pedestrian
from semcom_ros.runtime import declare_operators

DRAWS = 1000
BATCH = 100
"""Draws at once, which bounds the memory that they take."""
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
    there = _there(values)
    if any(math.isinf(v) for v in there):
        return Score("infinite", len(there))
    return _bootstrap([(v,) for v in there], lambda sums: sums[..., 0] / len(there), seed)


def iou(classes: Sequence[int]) -> Pool:
    """Mean over `classes`, those that the truth of any frame holds, of the IoU of pooled counts.

    Measurements are `ConfusionMatrix.counts`, int64 [19, 20]: frames are drawn, not pixels. Of a
    draw without any pixel of a class nothing can be said about that class.
    """

    def mious(sums: np.ndarray) -> np.ndarray:
        hits, truth, found = np.moveaxis(sums, -2, 0)
        ious = _ratio(hits, truth + found - hits)
        there = ~np.isnan(ious)
        return _ratio(np.where(there, ious, 0).sum(-1), there.sum(-1))

    def pool(values: Sequence[np.ndarray | None], seed: int) -> Score:
        counts = _there(values)
        held = [c for c in classes if any(one[c].any() for one in counts)]
        rows = [(one.diagonal()[held], one.sum(1)[held], one.sum(0)[held]) for one in counts]
        return _bootstrap(rows, mious, seed)

    return pool


def missed(near: float, far: float) -> Pool:
    """Share of the pedestrians from `near` to less than `far` metres away that were missed.

    Measurements are lists of `Pedestrian`: frames are drawn, with all who are in them.
    """

    def pool(values: Sequence[list[Pedestrian] | None], seed: int) -> Score:
        known = _there(values)
        if not known:
            return Score("not measured: no distances known", 0)
        chosen = [[p.found for p in frame if near <= p.distance < far] for frame in known]
        rows = [(found.count(False), len(found)) for found in chosen]
        return _bootstrap(rows, lambda sums: _ratio(sums[..., 0], sums[..., 1]), seed)

    return pool


def share(values: Sequence[list[bool] | None], seed: int) -> Score:
    """Share of what is true in the lists of all frames; frames are drawn, not their items."""
    rows = [(sum(found), len(found)) for found in _there(values)]
    return _bootstrap(rows, lambda sums: _ratio(sums[..., 0], sums[..., 1]), seed)


def over_area(values: Sequence[Sequence[int] | None], seed: int) -> Score:
    """A class's share of the pixels that are chosen over its share of all, frames drawn.

    Measurements are pixels: the class's that are chosen, all that are chosen, the class's, all.
    """
    rows = _there(values)
    return _bootstrap(rows, lambda s: _ratio(s[..., 0] * s[..., 3], s[..., 1] * s[..., 2]), seed)


def whole(score: Callable[[list[Any]], float | None]) -> Pool:
    """A score of all frames at once, without an interval."""

    def pool(values: Sequence[Any], seed: int) -> Score:
        there = _there(values)
        return Score(score(there) if there else None, len(there))

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
    sets = [np.stack(one) for one in zip(*pairs, strict=True)]
    means = [one.mean(0) for one in sets]
    a, b = (one - mean for one, mean in zip(sets, means, strict=True))
    # The trace of the root of the covariances' product is the sum of the singular values of ab':
    # a matrix of frames, where that of features would take seconds a score.
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    spread = (np.square(a).sum() + np.square(b).sum() - 2 * shared) / (len(pairs) - 1)
    return max(0.0, float(np.square(means[0] - means[1]).sum() + spread))


def kernel_distance(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """Squared maximum mean discrepancy of two such sets by the kernel (xy / C + 1)^3, unbiased.

    Binkowski et al., "Demystifying MMD GANs", ICLR 2018; theirs is the mean over draws of 1000
    frames. None where there are fewer than two frames.
    """
    if len(pairs) < 2:
        return None
    import torch

    declare_operators()
    from torchmetrics.image.kid import poly_mmd

    return float(poly_mmd(*(torch.from_numpy(np.stack(one)) for one in zip(*pairs, strict=True))))


def relative_frechet(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float | None:
    """`frechet` over the variance of the originals' features, summed over the features."""
    distance = frechet(pairs)
    if distance is None:
        return None
    spread = float(np.var([real for real, _ in pairs], axis=0, ddof=1).sum())
    return distance / spread if spread else None


def _there(values: Sequence[Any]) -> list[Any]:
    return [v for v in values if v is not None]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where there is no whole."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _bootstrap(rows: Sequence[Any], score: Callable[[np.ndarray], np.ndarray], seed: int) -> Score:
    """The score of all frames. rows: of numbers, one for each frame.

    score: takes sums of rows [..., of a row's shape], float64, gives [...], NaN where none applies.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    items, n = np.array(rows, np.float64), len(rows)
    value = float(score(items.sum(0))) if n else math.nan
    if math.isnan(value) or n < LEAST:
        return Score(None if math.isnan(value) else value, n)

    def of_drawn(frames: np.ndarray, axis: int) -> np.ndarray:
        return score(items[frames].sum(frames.ndim - 1))

    # It complains of draws without a score, which are left out here.
    with warnings.catch_warnings(action="ignore", category=DegenerateDataWarning):
        drawn = bootstrap(
            (np.arange(n),), of_drawn, n_resamples=DRAWS, method="percentile", vectorized=True,
            batch=BATCH, random_state=np.random.default_rng(seed),
        ).bootstrap_distribution  # fmt: skip
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return Score(value, n, (float(low), float(high)))
