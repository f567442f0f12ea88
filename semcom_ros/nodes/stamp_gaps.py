# SPDX-License-Identifier: Apache-2.0
"""What of a camera's images never came, by the gaps that they leave in the stamps."""

from __future__ import annotations

from collections import deque

import numpy as np

RECENT = 20
"""Images by which it is known what a camera's interval is, and how much of it is lost now."""
FEWEST = 5
INFOS = 10 * RECENT
PAUSE_NS = 5 * 10**9
"""A camera that is silent for so long has paused, and lost nothing."""


class StampGaps:
    """One camera's stamps, in ns, as they come.

    Where each image has a camera_info of its stamp, those tell exactly: they are small, and come
    where images are too large to. Elsewhere the usual interval of the images has to do.
    """

    def __init__(self) -> None:
        self._images, self._missed = deque[int](maxlen=RECENT), deque[int](maxlen=RECENT)
        self._infos = deque[int](maxlen=INFOS)

    def info(self, stamp: int) -> None:
        """Note a camera_info."""
        self._infos.append(stamp)

    def image(self, stamp: int) -> int:
        """Note an image; returns how many are missing before it."""
        before = self._images[-1] if self._images else stamp
        if stamp < before:  # a bag that begins anew
            self._images.clear()
        if before in self._infos:
            # A bag that is played anew says each stamp once more.
            missed = len({info for info in self._infos if before < info < stamp})
        else:
            missed = self._by_interval(stamp - before)
        self._images.append(stamp)
        self._missed.append(missed)
        return missed

    @property
    def lost(self) -> float:
        """The share of the newest images that never came."""
        missed = sum(self._missed)
        return missed / (missed + len(self._missed)) if missed else 0.0

    def _by_interval(self, gap: int) -> int:
        gaps = np.diff(np.unique(self._images))
        if len(gaps) < FEWEST or gap > PAUSE_NS:
            return 0
        # Half the gaps and more may be those where something was lost: the shortest ones count. A
        # stamp may be late by less than an interval without a frame before it.
        usual = np.median(gaps[gaps <= 1.5 * np.quantile(gaps, 0.25)])
        return max(0, int(gap / usual + 0.3) - 1)
