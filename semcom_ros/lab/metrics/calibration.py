# SPDX-License-Identifier: Apache-2.0
"""Whether the confidence published with a map says how often it is right."""

from __future__ import annotations

import numpy as np

from semcom_ros.labels import VOID, fold

BINS = 15
_LEVELS = 256


class MapCalibration:
    """Expected calibration error (Guo et al., ICML 2017, 15 bins) of maps, over all pixels added.

    folded: whether both maps are compared in CamVid's classes (`labels.fold`).
    """

    def __init__(self, folded: bool = False) -> None:
        self.folded = folded
        self._seen, self._right = np.zeros(_LEVELS), np.zeros(_LEVELS)

    def add(self, truth: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> None:
        """Count one frame, uint8 [H, W] each; pixels that are void in the truth count nowhere."""
        if self.folded:
            truth, labels = fold(truth), fold(labels)
        known = truth != VOID
        levels, right = confidence[known], (labels == truth)[known]
        self._seen += np.bincount(levels, minlength=_LEVELS)
        self._right += np.bincount(levels, right, minlength=_LEVELS)

    def error(self) -> float | None:
        """0 where every confidence is the share that is right; None where nothing was added."""
        if not self._seen.any():
            return None
        said = np.arange(_LEVELS) / (_LEVELS - 1)
        bins = np.minimum((said * BINS).astype(int), BINS - 1)
        gaps = np.bincount(bins, self._right - said * self._seen, minlength=BINS)
        return float(np.abs(gaps).sum() / self._seen.sum())
